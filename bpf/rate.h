// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A token bucket, kept as the one moment at which it will be full again (GCRA, ITU-T I.371): no lock, no timer.
 * Times are in 1/16 ns. A frame passes while the bucket is not empty and may overdraw it, or a super-frame (GSO)
 * longer than the burst could never pass.
 */
#pragma once
#include "layout.h"
#include <stdbool.h>

static __always_inline bool conforms(__u64 *full_at, __u64 cost, __u64 depth, __u64 now_ns)
{
	__u64 now = now_ns << 4;
	__u64 at = *(volatile __u64 *)full_at;

	if (at < now)
		__sync_val_compare_and_swap(full_at, at, now); /* fails only if another CPU has just done it */
	at = __sync_fetch_and_add(full_at, cost);
	if (at < now + depth)
		return true;
	__sync_fetch_and_add(full_at, -cost);
	return false;
}
