"""A servo is moved to its three marks, and let go."""

from gpiozero import Servo

servo = Servo(13)
servo.min()
servo.mid()
servo.max()
servo.detach()
servo.value = 0.5
