"""A motor runs forwards at half its speed, turns round, and stops."""

from gpiozero import Motor

motor = Motor(forward=12, backward=13)
motor.forward(0.5)
motor.reverse()
motor.stop()
