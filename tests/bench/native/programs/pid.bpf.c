// SPDX-License-Identifier: Apache-2.0
/*
 * A PID controller in fixed point (16 fractional bits) on a motor's speed, 32 steps of both: the integral is limited,
 * the derivative filtered, the output clamped to a duty of 0 to 100 %.
 */
#include "bench.h"

#define ONE (1 << 16)
#define KP (ONE * 3 / 4)
#define KI (ONE / 16)
#define KD (ONE / 8)

static inline __attribute__((always_inline)) __s64 clamp(__s64 x, __s64 low, __s64 high)
{
	return x < low ? low : x > high ? high : x;
}

PROGRAM(pid)
{
	__s64 wanted = (__s64)(in->seed & 1023) << 8, speed = 0, integral = 0, last = 0, slope = 0, duty = 0;

	for (__u32 i = 0; i < 32; i++) {
		__s64 error = wanted - speed;

		integral = clamp(integral + (error * KI >> 16), -50 * ONE, 50 * ONE);
		slope += ((error - last) - slope) >> 2;
		last = error;
		duty = clamp((error * KP >> 16) + integral + (slope * KD >> 16), 0, 100 * ONE);
		speed += (duty * 4 - speed) >> 5;
	}
	result = duty ^ speed << 1;
	return (int)result;
}
