"""Run as `python DIRECTORY`, where the directory holds this file and the package below it."""

from axiom_hw.twin.guest.agent import main

main()
