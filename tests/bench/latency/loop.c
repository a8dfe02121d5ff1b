// SPDX-License-Identifier: Apache-2.0
/*
 * What everybody else is compared with: an output that follows an input, by the least that the kernel asks for.
 *
 *     loop LABEL INPUT OUTPUT
 *
 * The chip is found by its label. Says "ready" when it waits, and goes on for ever: poll, read, one ioctl an edge.
 */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <linux/gpio.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define AT_ONCE 64 /* events a read */

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static int open_chip(const char *label)
{
	glob_t found;

	if (glob("/dev/gpiochip*", 0, NULL, &found) == 0)
		for (size_t i = 0; i < found.gl_pathc; i++) {
			struct gpiochip_info info;
			int fd = open(found.gl_pathv[i], O_RDWR | O_CLOEXEC);

			if (fd < 0)
				continue;
			if (ioctl(fd, GPIO_GET_CHIPINFO_IOCTL, &info) == 0 && strcmp(info.label, label) == 0)
				return fd;
			close(fd);
		}
	errno = ENODEV;
	fail(label);
	return -1;
}

static int request(int chip, unsigned int line, __u64 flags)
{
	struct gpio_v2_line_request wanted = {.offsets = {line}, .num_lines = 1, .config = {.flags = flags}};

	strcpy(wanted.consumer, "loop");
	if (ioctl(chip, GPIO_V2_GET_LINE_IOCTL, &wanted) < 0)
		fail("a line");
	return wanted.fd;
}

int main(int argc, char **argv)
{
	struct gpio_v2_line_event events[AT_ONCE];
	struct gpio_v2_line_values values = {.mask = 1};
	struct pollfd input = {.events = POLLIN};
	int chip, output;

	if (argc != 4) {
		fprintf(stderr, "usage: loop LABEL INPUT OUTPUT\n");
		return 2;
	}
	chip = open_chip(argv[1]);
	input.fd = request(chip, atoi(argv[2]),
			   GPIO_V2_LINE_FLAG_INPUT | GPIO_V2_LINE_FLAG_EDGE_RISING | GPIO_V2_LINE_FLAG_EDGE_FALLING);
	output = request(chip, atoi(argv[3]), GPIO_V2_LINE_FLAG_OUTPUT);
	puts("ready");
	fflush(stdout);
	for (;;) {
		ssize_t n;

		if (poll(&input, 1, -1) < 0)
			fail("poll");
		n = read(input.fd, events, sizeof(events));
		if (n < 0)
			fail("read");
		for (size_t i = 0; i < n / sizeof(*events); i++) {
			values.bits = events[i].id == GPIO_V2_LINE_EVENT_RISING_EDGE;
			if (ioctl(output, GPIO_V2_LINE_SET_VALUES_IOCTL, &values) < 0)
				fail("the output");
		}
	}
}
