/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * kernel: what edgectl speaks to in the harness: a kernel that remembers a policy.
 *
 * It refuses what the module refuses, told anew from the documents rather than by
 * the tool's own code.
 */
#ifndef FUZZ_KERNEL_H
#define FUZZ_KERNEL_H

/* The sentence of the last refusal, or "". */
const char *kernel_refusal(void);

/* Forgets everything. */
void kernel_reset(void);

#endif
