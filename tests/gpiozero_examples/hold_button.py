"""A button with bounce and hold times; the script waits for it."""

from threading import Event

from gpiozero import Button

held = Event()
button = Button(17, bounce_time=0.005, hold_time=0.02)
button.when_held = held.set
