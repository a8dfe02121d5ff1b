// SPDX-License-Identifier: Apache-2.0
/* Arithmetic on registers alone: 1000 rounds of a 64-bit mixer, with shifts, products and sums. */
#include "bench.h"

PROGRAM(alu)
{
	__u64 a = in->seed * 0x9e3779b97f4a7c15ull, b = 0x243f6a8885a308d3ull;

	for (__u32 i = 0; i < 1000; i++) {
		a ^= a >> 29;
		a *= 0xbf58476d1ce4e5b9ull;
		b = (b << 7 | b >> 57) + a;
		a += b >> 31 ^ i;
	}
	result = a ^ b ^ b >> 32;
	return (int)result;
}
