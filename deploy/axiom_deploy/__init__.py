"""From a laptop onto a board, over SSH, with pyinfra as the engine.

settings.py     what a deploy is told;  errors.py  why it stops
verifying.py    programs are proved here before they travel;  reading.py  the process that does it
observing.py    what is on the board;  checks.py  whether it may go there
wheels.py       the wheelhouse: what the board's Python needs;  own_wheel.py  this project among it
closing.py      requirements to wheels, with the board's markers
bundle.py       a release as one archive;  access.py  groups, rules of udev, lines of config.txt
planning.py     what is different, and so what would change
session.py      commands on a board;  holding.py  one deploy at a time
steps.py        the steps as pyinfra's operations
telling.py      what state the board is in, in a sentence
driving.py      `python deploy ...`: connect, plan, run, tell;  command.py  its command line

../on_board/    the part that runs on the board: standard library only
../deploy.py, ../inventory.py   the same for plain pyinfra
"""
