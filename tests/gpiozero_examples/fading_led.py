"""An LED is brightened in 257 steps."""

from gpiozero import PWMLED

led = PWMLED(12, frequency=1000)
for level in range(257):
    led.value = level / 256
