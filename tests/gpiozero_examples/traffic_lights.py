"""Traffic lights turn green by way of amber."""

from gpiozero import TrafficLights

lights = TrafficLights(25, 8, 7)
lights.red.on()
lights.amber.on()
lights.value = (0, 0, 1)
