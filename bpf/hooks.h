// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What the data plane has from outside itself: the time, and ways for frames to leave. With HP_RECORD it becomes the
 * variant for tests, whose clock somebody sets and which keeps what it would send (record.h).
 */
#pragma once
#include "maps.h"
#include <linux/pkt_cls.h>
#include <stdbool.h>

/* In the upper half of a mark: hp_trim cuts the frame to as many octets as the lower half says. */
#define TRIM 0x4850
#define TRIM_TO(mark) ((mark) >> 16 == TRIM ? (mark) & 0xffff : 0)

#ifdef HP_RECORD
#include "record.h"
#else

static __always_inline __u64 now_ns(void)
{
	return bpf_ktime_get_ns();
}

/* Before anything is read of the frame. */
static __always_inline void as_received(struct __sk_buff *skb)
{
}

/* Whether the device's MTU lets a frame leave that is longer than it, in segments. */
static __always_inline bool may_emit(struct __sk_buff *skb, __u32 ifindex)
{
	__u32 mtu = 0;

	return bpf_check_mtu(skb, ifindex, &mtu, 0, BPF_MTU_CHK_SEGS) <= 0;
}

/* Sends a copy of the frame as it is now; false if the kernel could not. */
static __always_inline bool emit_copy(struct __sk_buff *skb, __u32 ifindex)
{
	return bpf_clone_redirect(skb, ifindex, 0) == 0;
}

/* Members of a VLAN that a group frame goes to in one run of the program. */
#define PORTION 64

/* Has a copy of the frame come in again, behind what waits for this CPU already; false if the kernel could not. */
static __always_inline bool enter_again(struct __sk_buff *skb, __u32 ifindex)
{
	return bpf_clone_redirect(skb, ifindex, BPF_F_INGRESS) == 0;
}

/* Sends the frame itself; what it returns, the program returns. */
static __always_inline int emit(struct __sk_buff *skb, __u32 ifindex)
{
	return bpf_redirect(ifindex, 0);
}

/* Likewise, past the device to its peer in another namespace. */
static __always_inline int emit_to_peer(struct __sk_buff *skb, __u32 ifindex)
{
	return bpf_redirect_peer(ifindex, 0);
}

/* Leaves the frame to the switch's own stack; what it returns, the program returns. */
static __always_inline int pass_to_host(struct __sk_buff *skb)
{
	return TC_ACT_OK;
}

#endif
