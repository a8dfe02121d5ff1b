"""A button switches an LED."""

from gpiozero import LED, Button

led = LED(18)
button = Button(17)
button.when_pressed = led.on
button.when_released = led.off
