"""A plain gpiozero script, as thousands are: it knows nothing of axiom_hw."""

from gpiozero import LED, Button

led, button = LED(18), Button(17)
print("ready", flush=True)
for _ in range(2):
    led.on()
    print("on", led.value, flush=True)
    button.wait_for_press()
    led.off()
    print("off", led.value, "pressed", button.is_pressed, flush=True)
    button.wait_for_release()
    print("released", flush=True)
led.blink(0.05, 0.05, n=3, background=False)
print("done", flush=True)
