// SPDX-License-Identifier: Apache-2.0
/* A low-pass filter with 16 taps, coefficients in units of 1/32768, over a block of 64 samples of 16 bits. */
#include "bench.h"

#define TAPS 16
#define BLOCK 64

static const __s16 taps[TAPS] = {
	-52, -148, -163, 238, 1284, 2901, 4633, 5771, 5771, 4633, 2901, 1284, 238, -163, -148, -52,
};

PROGRAM(fir)
{
	__s16 samples[TAPS - 1 + BLOCK];
	__u32 x = in->seed;
	__s32 sum = 0;

	for (__u32 i = 0; i < TAPS - 1 + BLOCK; i++) {
		samples[i] = (__s16)x;
		x = next_number(x);
	}
	for (__u32 n = 0; n < BLOCK; n++) {
		__s32 filtered = 0;

		for (__u32 k = 0; k < TAPS; k++)
			filtered += taps[k] * samples[n + k];
		sum ^= filtered >> 15;
	}
	result = sum;
	return (int)result;
}
