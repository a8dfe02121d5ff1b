// SPDX-License-Identifier: Apache-2.0
/* The least that a program can do: what a run costs besides its instructions. */
#include "bench.h"

PROGRAM(empty)
{
	result = in->seed;
	return (int)result;
}
