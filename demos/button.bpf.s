// demos/button.py in assembly. The LED follows the button, and every edge goes through the ring with its kernel time stamp.
// The context is `struct GpioEvent`: value at 20, see docs/programs-in-c-and-assembly.md.

.map presses type=array key=4 value=8 entries=1
.map edges type=ringbuf entries=65536

.section "gpio/button"
follow:
    r6 = r1                           // the event

    r7 = *(u32 *)(r6 + 20)            // value: 1 pressed, 0 released
    if r7 == 0 goto drive             // count presses, not releases
    r1 = map[presses][0]+0 ll
    r2 = 1
    lock *(u64 *)(r1 + 0) += r2
drive:
    r1 = 18                           // the LED's line
    r2 = r7
    call gpio_set

    r1 = map[edges] ll                // edges.output(ctx), last: who reads it finds the rest done
    r2 = r6
    r3 = 32
    r4 = 0
    call ringbuf_output
    r0 = 0
    exit
