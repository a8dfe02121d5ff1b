"""A servo goes through every degree of its half circle."""

from gpiozero import AngularServo

servo = AngularServo(18, min_angle=-90, max_angle=90)
for angle in range(-90, 91):
    servo.angle = angle
