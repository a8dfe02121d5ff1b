// SPDX-License-Identifier: Apache-2.0
/* Global variables: each section of data is one map. */
#include "axiom_hw.bpf.h"

const volatile __u32 limit = 7;
const volatile __u32 step[] = {1, 2, 3, 4};
__u64 total = 0x1122334455667788;
static volatile __s32 hidden = -5;
__u64 seen;
static volatile __u32 low;
__u32 tuning SEC(".data.tuning") = 9;

SEC("pwm/servo")
int count(struct PwmEvent *ctx)
{
	seen++;
	low = ctx->duty_ns;
	hidden += step[2];
	total += limit;
	bpf_printk("seen %d", seen);
	return tuning;
}

char LICENSE[] SEC("license") = "Apache-2.0";
