"""`python -m axiom_hw` is the command `axiom-hw`."""

from axiom_hw.cli import main

main()
