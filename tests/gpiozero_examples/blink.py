"""An LED blinks three times."""

from gpiozero import LED

led = LED(18)
led.blink(on_time=0.002, off_time=0.002, n=3, background=False)
