"""What a service prints, as the journal gets it."""

from __future__ import annotations

import io
import os
import sys
import threading
from pathlib import Path

import pytest

from axiom_hw.errors import BackendError
from axiom_hw.service import journal
from axiom_hw.service.journal import JournalText, Priority, is_journal


def written(priority: Priority = Priority.INFO) -> tuple[io.StringIO, JournalText]:
    under = io.StringIO()
    return under, JournalText(under, priority)


def test_a_line_is_whole_and_says_how_much_it_matters() -> None:
    under, text = written()
    print("pressed", 3, "times", end="", file=text)
    assert under.getvalue() == "", "not before its end"
    print(" today\n\nand\nmore", file=text)
    assert under.getvalue() == "<6>pressed 3 times today\n<6>and\n<6>more\n"


def test_what_a_terminal_would_do_isnt_in_it() -> None:
    under, text = written()
    print("\x1b[1;31mred\x1b[0m and \x1b]0;title\x07plain\ttab", file=text)
    print("10 %\r50 %\r100 %", file=text)
    print("with a dos end\r", file=text)
    assert under.getvalue() == "<6>red and plain\ttab\n<6>100 %\n<6>with a dos end\n"


def test_a_priority_of_ones_own_stays() -> None:
    under, text = written()
    print("<2>the door is open", file=text)
    print("<9>is none", file=text)
    assert under.getvalue() == "<2>the door is open\n<6><9>is none\n"


def test_lines_of_threads_dont_mix() -> None:
    under, text = written()
    turns = threading.Barrier(2)

    def say(word: str) -> None:
        for part in (word, word, "\n"):
            turns.wait(5)
            text.write(part)

    threads = [threading.Thread(target=say, args=(word,)) for word in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(under.getvalue().splitlines()) == ["<6>aa", "<6>bb"]


def test_an_error_and_its_way_out_are_one_line() -> None:
    under, text = written()
    text.say(str(BackendError("line 17", "is in use", "end the other program")), Priority.ERROR)
    text.say("app.py:3: refused\n    at     7: r3 = 0\n    fix    test it first", Priority.ERROR)
    assert under.getvalue().splitlines() == [
        "<3>line 17: is in use; end the other program",
        "<3>app.py:3: refused",
        "<3>    at     7: r3 = 0",
        "<3>    fix    test it first",
    ]


def test_a_line_without_an_end_comes_out_at_the_end() -> None:
    under, text = written()
    text.write("the last words")
    text.flush()
    text.finish()
    text.finish()
    assert under.getvalue() == "<6>the last words\n"


def test_the_journal_is_known_by_device_and_inode(tmp_path: Path) -> None:
    with (tmp_path / "journal").open("w") as file:
        found = os.fstat(file.fileno())
        assert is_journal(file.fileno(), {"JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino}"})
        assert not is_journal(file.fileno(), {"JOURNAL_STREAM": f"{found.st_dev}:1"})
        assert not is_journal(file.fileno(), {})
    assert not is_journal(-1, {"JOURNAL_STREAM": "0:0"})


def test_only_the_stream_that_leads_there_is_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (tmp_path / "journal").open("w") as there, (tmp_path / "file").open("w") as elsewhere:
        monkeypatch.setattr(sys, "stderr", there)
        monkeypatch.setattr(sys, "stdout", elsewhere)
        monkeypatch.setattr(journal.atexit, "register", lambda finish: None)
        found = os.fstat(there.fileno())
        environment = {"JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino}"}
        journal.install(environment)
        journal.install(environment)
        journal.say("careful")
        print("seen at once")
        assert (tmp_path / "journal").read_text() == "<4>careful\n"
        assert (tmp_path / "file").read_text() == "seen at once\n"
