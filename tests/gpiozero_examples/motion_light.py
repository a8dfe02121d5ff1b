"""A motion sensor and a switch decide a lamp by their values, as gpiozero's sources do it."""

from gpiozero import LED, MotionSensor

lamp = LED(16)
motion = MotionSensor(4, queue_len=1, sample_rate=500)
lamp.source_delay = 0.001
lamp.source = motion
