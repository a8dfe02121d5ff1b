"""Collected where AXIOM_SYSTEMD=1 says so: it takes root, systemd and half a minute."""

import os

collect_ignore_glob = [] if os.environ.get("AXIOM_SYSTEMD") == "1" else ["test_*.py"]
