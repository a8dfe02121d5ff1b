"""What `axiom-hw doctor` says of the GPIO backends of this machine: which there are."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from axiom_hw.cli.diagnosis import Finding


def gpio_backends() -> Iterator[Finding]:
    """A finding for each backend besides gpiod whose package is installed; none for what isn't, which nobody needs."""
    from axiom_hw.backends.limits import LIMITS, GpioChoice
    from axiom_hw.cli.diagnosis import Finding, Status

    for limits in LIMITS:
        if limits.choice is GpioChoice.GPIOD:
            continue  # the doctor looks at it more closely
        try:
            installed = version(limits.choice)
        except PackageNotFoundError:
            continue
        text = f"--gpio {limits.choice} ({installed}) for want of gpiod; it can do less, and says what when it runs"
        yield Finding(Status.OK, text)
