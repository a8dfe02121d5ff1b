"""eBPF for the pins of a Raspberry Pi 5."""
