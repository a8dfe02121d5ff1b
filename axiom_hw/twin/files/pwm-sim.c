// SPDX-License-Identifier: GPL-2.0
/*
 * A PWM chip without hardware, under the name of a Raspberry Pi 5's, with four channels. The kernel's own PWM core and
 * its files in sysfs are in front of it; behind it is nothing but the last state, which the core keeps.
 */
#include <linux/module.h>
#include <linux/platform_device.h>
#include <linux/pwm.h>

#define NAME "1f00098000.pwm"
#define CHANNELS 4

static struct platform_device *device;

static int pwm_sim_apply(struct pwm_chip *chip, struct pwm_device *pwm, const struct pwm_state *state)
{
	return 0;
}

static const struct pwm_ops pwm_sim_ops = {
	.apply = pwm_sim_apply,
};

static int pwm_sim_probe(struct platform_device *pdev)
{
	struct pwm_chip *chip = devm_pwmchip_alloc(&pdev->dev, CHANNELS, 0);

	if (IS_ERR(chip))
		return PTR_ERR(chip);
	chip->ops = &pwm_sim_ops;
	return devm_pwmchip_add(&pdev->dev, chip);
}

static struct platform_driver pwm_sim_driver = {
	.probe = pwm_sim_probe,
	.driver = { .name = NAME },
};

static int __init pwm_sim_init(void)
{
	int error = platform_driver_register(&pwm_sim_driver);

	if (error)
		return error;
	device = platform_device_register_simple(NAME, PLATFORM_DEVID_NONE, NULL, 0);
	if (IS_ERR(device)) {
		platform_driver_unregister(&pwm_sim_driver);
		return PTR_ERR(device);
	}
	return 0;
}

static void __exit pwm_sim_exit(void)
{
	platform_device_unregister(device);
	platform_driver_unregister(&pwm_sim_driver);
}

module_init(pwm_sim_init);
module_exit(pwm_sim_exit);
MODULE_DESCRIPTION("PWM without hardware, for tests");
MODULE_LICENSE("GPL");
