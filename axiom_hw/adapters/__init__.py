"""Readings of a backend to the events that programs see."""
