"""The application that the kill test kills: it drives real lines and a real channel away from their safe states."""

import axiom_hw as hw
from axiom_hw.board import parse_board

BOARD = parse_board(
    """
    [chip.header]
    label = "pinctrl-rp1"
    [pwm_chip.header]
    device = "1f00098000.pwm"
    [output.led]
    line = 18
    safe = "low"
    [output.relay]
    line = 27
    active_low = true
    safe = "high"
    [output.servo]
    channel = 1
    period = "20ms"
    safe = "off"
    """,
    "victim", "tests/twin/inside/victim.py",
)  # fmt: skip

app = hw.App("victim", board=BOARD)


def drive() -> None:
    for output, value in (("led", 1), ("relay", 1), ("servo", 1_500_000)):
        app.outputs.write(output, value)
    print("driving", flush=True)
    app.wait()


if __name__ == "__main__":
    app.main(drive)
