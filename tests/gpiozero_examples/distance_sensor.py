"""An ultrasonic sensor measures a distance by the time of an echo."""

from gpiozero import DistanceSensor

sensor = DistanceSensor(echo=24, trigger=23, max_distance=2, queue_len=1)
