"""`python deploy --host pi@raspberrypi.local --app demos/button.py`: what `make deploy` runs."""

from gevent import monkey

monkey.patch_all()  # first of all: pyinfra's connections run in greenlets

import sys  # noqa: E402
from pathlib import Path  # noqa: E402

sys.path.insert(0, str(Path(__file__).resolve().parent))

from axiom_deploy.command import main  # noqa: E402

sys.exit(main(sys.argv[1:]))
