"""The deploy, for plain pyinfra: `HOST=pi@raspberrypi.local APP=../demos/button.py pyinfra inventory.py deploy.py`.

Settings are make's variables in the environment, or pyinfra's --data: --data app=../demos/button.py
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from axiom_deploy.plain import deploy_host
from pyinfra import host, state

deploy_host(state, host)
