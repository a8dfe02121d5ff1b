"""A knob is turned; the script counts its steps."""

from gpiozero import RotaryEncoder

turns = []
encoder = RotaryEncoder(20, 21, max_steps=0)
encoder.when_rotated_clockwise = lambda: turns.append(1)
encoder.when_rotated_counter_clockwise = lambda: turns.append(-1)
