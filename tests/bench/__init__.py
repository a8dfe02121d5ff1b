"""Measurements, run by `make bench`. Figures of one run compare with each other, not with another run's."""
