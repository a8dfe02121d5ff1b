"""The world around a running twin, from another terminal: lines, registers, serial ports."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from axiom_hw.errors import TwinError

if TYPE_CHECKING:
    from axiom_hw.twin import Twin

_NAME = Annotated[str, typer.Option(metavar="NAME", help="Which twin, where several run")]
_LINE = Annotated[str, typer.Argument(metavar="LINE", help="GPIO17, 17, or a name of the chip's")]
_PORT = Annotated[str, typer.Argument(metavar="PORT", help="ttyAMA0, ttyAMA1 or ttyAMA2")]


def register_world(verbs: typer.Typer) -> None:
    """Add the verbs."""
    verbs.command("pull")(pull)
    verbs.command("value")(value)
    verbs.command("i2c")(i2c)
    verbs.command("feed")(feed)
    verbs.command("read")(read)


@contextmanager
def attached(name: str) -> Iterator[Twin]:
    """The running twin of that name. Raises `TwinError` where none runs."""
    from axiom_hw.twin import Twin

    twin = Twin.attach(name)
    if twin is None:
        raise TwinError(f"a twin called {name}", "isn't running", "in another terminal: axiom-hw twin boot")
    try:
        yield twin
    finally:
        twin.close()


def pull(
    line: _LINE,
    level: Annotated[int, typer.Argument(metavar="LEVEL", min=0, max=1, help="0 down, 1 up")],
    name: _NAME = "twin",
) -> None:
    """Pull a line up or down, as a button or a wire does."""
    with attached(name) as twin:
        twin.world.pull(line, level)


def value(line: _LINE, name: _NAME = "twin") -> None:
    """Print the level of a line: what an output drives, or which way an input is pulled."""
    with attached(name) as twin:
        typer.echo(twin.world.value(line))


def i2c(
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="0x76")],
    register: Annotated[str, typer.Argument(metavar="REGISTER", help="0xF7")],
    content: Annotated[list[str] | None, typer.Argument(metavar="[BYTE]...", help="To set: 0x65 0x5A 0xC0")] = None,
    count: Annotated[int, typer.Option(metavar="N", help="Without bytes to set: how many to print")] = 1,
    word: Annotated[bool, typer.Option("--word", help="One register of 16 bits, high byte first")] = False,
    name: _NAME = "twin",
) -> None:
    """Set registers of a device on the I2C bus, or print them."""
    device, first = _number("ADDRESS", address, 0x7F), _number("REGISTER", register, 0xFF)
    values = [_number("BYTE", text, 0xFFFF if word else 0xFF) for text in content or []]
    with attached(name) as twin:
        if word and len(values) == 1:
            twin.world.set_word(device, first, values[0])
        elif word and not values:
            typer.echo(f"{twin.world.word(device, first):#06x}")
        elif word:
            raise TwinError("--word", f"sets one register, and {len(values)} values are given", "give one: 0x1A2B")
        elif values:
            twin.world.set_registers(device, first, bytes(values))
        else:
            typer.echo(" ".join(f"{byte:#04x}" for byte in twin.world.registers(device, first, count)))


def feed(
    port: _PORT,
    text: Annotated[
        str | None, typer.Argument(metavar="[TEXT]", help="Escapes as in Python: 'a\\r\\n'; else stdin")
    ] = None,
    name: _NAME = "twin",
) -> None:
    """Send bytes into a serial port of the guest."""
    data = sys.stdin.buffer.read() if text is None else _bytes(text)
    with attached(name) as twin:
        twin.world.feed(port, data)


def read(
    port: _PORT,
    count: Annotated[int, typer.Argument(metavar="COUNT", min=1, help="How many bytes at most")] = 4096,
    timeout: Annotated[float, typer.Option(metavar="SECONDS", help="How long to wait for them")] = 1.0,
    name: _NAME = "twin",
) -> None:
    """Print what the guest sent by a serial port."""
    with attached(name) as twin:
        sys.stdout.buffer.write(twin.world.read(port, count, timeout))
        sys.stdout.flush()


def _number(what: str, text: str, limit: int) -> int:
    try:
        number = int(text, 0)
    except ValueError:
        number = -1
    if not 0 <= number <= limit:
        raise TwinError(f"{what} {text}", f"isn't a number from 0 to {limit:#x}", "0x76, or 118")
    return number


def _bytes(text: str) -> bytes:
    try:
        return text.encode("latin-1", "backslashreplace").decode("unicode_escape").encode("latin-1")
    except UnicodeError as error:
        raise TwinError(f"TEXT {text}", f"can't be sent: {error}", r"bytes beyond ASCII are written \xff") from None
