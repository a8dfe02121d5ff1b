"""The part of a deploy that runs on the board: agent.pyz [--root DIR] NAME build|prepare|activate|rollback|...

Nothing but Python's standard library; each verb holds the board's step lock and can be cut off anywhere.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from activating import Settings, check, clear_up, detached
from building import build
from hosting import prepare, remember, uninstall
from place import Busy, Place, Trouble, locked

_WAIT_S = 60
_BUSY = 12
_FAILED = 1


def main() -> int:
    """The exit status: 0, or what `Ending` says, 12 where the board is busy, 1 with a sentence on standard error."""
    words = _parser().parse_args()
    os.umask(0o022)
    os.chdir("/")
    os.environ["PATH"] = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"  # groupadd, for who logs in as root
    place = Place(Path(words.root), words.name)
    try:
        return _run(place, words)
    except Busy as busy:
        print(busy, file=sys.stderr)
        return _BUSY
    except Trouble as trouble:
        print(trouble, file=sys.stderr)
        return _FAILED
    except OSError as error:
        print(f"{error.filename or place.base}: {error.strerror}", file=sys.stderr)
        return _FAILED


def _run(place: Place, words: argparse.Namespace) -> int:
    settings = Settings(words.settle, words.keep)
    match words.verb:
        case "check":
            return check(place, os.path.basename(words.release))
        case "activate":
            return detached(place, words.release, settings)
        case "rollback":
            release = words.release or _before(place)
            if release not in place.sealed():
                raise Trouble(f"there is no release {release}; there are {', '.join(place.sealed()) or 'none'}")
            with locked(place.step_lock, _WAIT_S):
                prepare(place, release)  # what its board file needs, which a later one may have given up
            return detached(place, release, settings)
    with locked(place.step_lock, _WAIT_S):
        match words.verb:
            case "build":
                remember(place)
                clear_up(place)
                build(place, words.release, words.digest)
            case "prepare":
                prepare(place, words.release)
            case "uninstall":
                uninstall(place, forget_stop=words.forget_stop)
    return 0


def _before(place: Place) -> str:
    current = place.current()
    older = [ident for ident in place.proven() if ident < current]
    if not older:
        raise Trouble(f"there is no release before {current or 'the first one'} to go back to")
    return older[-1]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="agent.pyz", description=__doc__)
    parser.add_argument("--root", default="/")
    parser.add_argument("--settle", type=float, default=Settings().settle_s)
    parser.add_argument("--keep", type=int, default=Settings().keep)
    parser.add_argument("--digest", default="")
    parser.add_argument("--forget-stop", action="store_true")
    parser.add_argument("name")
    parser.add_argument("verb", choices=("build", "prepare", "activate", "rollback", "check", "uninstall"))
    parser.add_argument("release", nargs="?", default="")
    return parser


if __name__ == "__main__":
    sys.exit(main())
