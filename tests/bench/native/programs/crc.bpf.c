// SPDX-License-Identifier: Apache-2.0
/* CRC-32 (IEEE 802.3, reflected) of 256 bytes on the stack, four bits a step by a table of constants. */
#include "bench.h"

static const __u32 table[16] = {
	0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
	0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
};

PROGRAM(crc)
{
	__u32 message[64], crc = 0xffffffff, x = in->seed;

	for (__u32 i = 0; i < 64; i++) {
		message[i] = x;
		x = next_number(x);
	}
	for (__u32 i = 0; i < 256; i++) {
		crc ^= ((const __u8 *)message)[i];
		crc = table[crc & 15] ^ crc >> 4;
		crc = table[crc & 15] ^ crc >> 4;
	}
	result = ~crc;
	return (int)result;
}
