// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What the benchmarks need at tc ingress, so that no process has to read a frame. */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "Dual BSD/GPL";

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, __u64);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
} hp_sunk SEC(".maps");

#define PACKET_BROADCAST 1 /* linux/if_packet.h */
#define PACKET_MULTICAST 2

/* Drops the frame, and counts it unless it is a group frame: a bridge says things of its own. */
SEC("tc")
int hp_sink(struct __sk_buff *skb)
{
	__u32 only = 0;
	__u64 *count = bpf_map_lookup_elem(&hp_sunk, &only);

	if (count && skb->pkt_type != PACKET_BROADCAST && skb->pkt_type != PACKET_MULTICAST)
		__sync_fetch_and_add(count, 1);
	return TC_ACT_SHOT;
}

/* These turn the frame around and do nothing else: no relay that sends in this way can be cheaper. */
SEC("tc")
int hp_turn(struct __sk_buff *skb)
{
	return bpf_redirect(skb->ifindex, 0);
}

SEC("tc")
int hp_turn_peer(struct __sk_buff *skb)
{
	return bpf_redirect_peer(skb->ifindex, 0);
}
