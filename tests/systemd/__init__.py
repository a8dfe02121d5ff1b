"""Services under a real systemd, which runs in namespaces of its own: as root, `make test-systemd`."""
