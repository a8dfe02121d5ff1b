"""trace_printk's formats: Linux's subset, and EINVAL for the rest."""

from __future__ import annotations

import pytest

from axiom_hw.bpf.engine.printf import TEXT_LIMIT, render

MINUS = (1 << 64) - 5


@pytest.mark.parametrize(
    ("template", "arguments", "text"),
    [
        (b"plain\n\0", (), "plain\n"),
        (b"%d %u %x\0", (MINUS, MINUS, MINUS), "-5 4294967291 fffffffb"),
        (b"%ld %lu %lx\0", (MINUS, 5, MINUS), "-5 5 fffffffffffffffb"),
        (b"%lld %llu %llX\0", (MINUS, MINUS, MINUS), "-5 18446744073709551611 FFFFFFFFFFFFFFFB"),
        (b"%i%%%c\0", (7, 65), "7%A"),
        (b"%p\0", (0xABC,), "0000000000000abc"),
        (b"[%5d|%-5d|%05d]\0", (42, 42, MINUS), "[   42|42   |-0005]"),
        (b"[%+d|% d]\0", (42, 42), "[+42| 42]"),
        (b"%99999999999d\0", (1,), "1".rjust(TEXT_LIMIT)),
        (b"cut\0behind %q", (), "cut"),
        (b"\0", (), ""),
    ],
)
def test_text(template: bytes, arguments: tuple[int, ...], text: str) -> None:
    assert render(template, arguments) == text


@pytest.mark.parametrize(
    "template",
    [b"no end", b"%s\0", b"%q\0", b"%\0", b"%ll\0", b"%d %d\0", b"bell \x07\0", b"\xff\0", b"%lp\0", b"%llld\0"],
)
def test_refused(template: bytes) -> None:
    assert render(template, (1,)) is None
