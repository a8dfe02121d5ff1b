"""The boards, for plain pyinfra: those of $HOST, or write yours here. `pyinfra inventory.py deploy.py --dry --diff`"""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from axiom_deploy.settings import from_environment, read_addresses

# hosts = [(one.text, {**one.data(), "app": "demos/button.py"}) for one in read_addresses("pi@one.local,pi@two.local")]
hosts = [(one.text, {**one.data(), **from_environment()}) for one in read_addresses(os.environ.get("HOST", ""))]
