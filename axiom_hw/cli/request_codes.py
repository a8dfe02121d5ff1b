"""Why `verify --batch` refuses a request before there is a program to verify: codes beside the verifier's."""

from __future__ import annotations

from typing import Final

from axiom_hw.bpf.verifier.codes import Code

MALFORMED: Final = Code("E001", "not understood", "The line isn't a JSON object, or a key of it is missing, of another "
                        "type, or out of its range.", "Correct what the message names.")  # fmt: skip
TOO_LARGE: Final = Code("E002", "too large", "This machine has no room for the request.",
                        "Make the program or its maps smaller.")  # fmt: skip

INTERNAL: Final = Code("E003", "a bug in axiom-hw", "The verifier stopped at something that it holds to be impossible. "
                       "Nothing was proved, so the program isn't accepted.", "Report the request.")  # fmt: skip

TABLE: Final = (MALFORMED, TOO_LARGE, INTERNAL)
