"""The edge: the only code that opens a device. Per kind of device one seam, a real side and a mock side.

gpio.py  the seam      mock_gpio.py  the kernel's rules in memory      gpiod_gpio.py  the character device
         limits.py      what can't be done through these:       lgpio_gpio.py, gpiozero_gpio.py
pwm.py   the seam      mock_pwm.py   the kernel's rules in memory      sysfs_pwm.py   /sys/class/pwm
"""
