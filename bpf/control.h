// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Control frames: what a host and its bridge say to each other, and no VM may say or hear. */
#pragma once
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <stdbool.h>

#define LLDP 0x88cc
#define ECP 0x8940
#define DRAFT_ECP 0x88b7

#define TYPES_FROM 0x600 /* below, it is a length, and LLC follows */
#define MOST_HEADERS 8   /* tags and SNAP headers before the EtherType */

/* What the agent reads of a filter, and tells it. Each interface's filter has a map of its own. */
enum word {
	EGRESS_DROPS,
	INGRESS_DROPS,
	HOST_COOKIE, /* of the host's network namespace; at the uplink only */
	WORDS
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, __u64);
	__uint(max_entries, WORDS);
} hp_filter SEC(".maps");

static __always_inline bool is_tag(__u16 type)
{
	return type == 0x8100 || type == 0x88a8 || type == 0x9100 || type == 0x9200 || type == 0x9300;
}

/* LLC SNAP with an EtherType: OUI 00-00-00, or 00-00-F8 of 802.1H */
static __always_inline bool is_snap(const __u8 *llc)
{
	return llc[0] == 0xaa && llc[1] == 0xaa && llc[2] == 3 && !llc[3] && !llc[4] && (!llc[5] || llc[5] == 0xf8);
}

/*
 * Whether the frame goes to 01-80-C2-00-00-00 … 0F, or is LLDP or ECP, also behind tags and SNAP headers. A frame with
 * more of these than anybody uses is taken for one.
 */
static __always_inline bool is_control(struct __sk_buff *skb)
{
	struct {
		__be16 group;
		__be16 middle;
		__u8 zero;
		__u8 last;
		__u8 source[6];
		__be16 type;
	} head;
	__u32 at = 12;
	__u16 type;

	if (bpf_skb_load_bytes(skb, 0, &head, sizeof(head)))
		return false;
	if (head.group == bpf_htons(0x0180) && head.middle == bpf_htons(0xc200) && !head.zero && head.last <= 0x0f)
		return true;
	type = bpf_ntohs(head.type);
	for (int i = 0; i < MOST_HEADERS; i++) {
		__be16 next;
		__u8 llc[6];

		if (is_tag(type)) {
			at += 4;
		} else if (type >= TYPES_FROM) {
			return type == LLDP || type == ECP || type == DRAFT_ECP;
		} else {
			if (bpf_skb_load_bytes(skb, at + 2, llc, sizeof(llc)) || !is_snap(llc))
				return false;
			at += 8;
		}
		if (bpf_skb_load_bytes(skb, at, &next, sizeof(next)))
			return false;
		type = bpf_ntohs(next);
	}
	return true;
}

static __always_inline __u64 *word_of(__u32 word)
{
	return bpf_map_lookup_elem(&hp_filter, &word);
}

static __always_inline int drop(__u32 word)
{
	__u64 *count = word_of(word);

	if (count)
		__sync_fetch_and_add(count, 1);
	return TC_ACT_SHOT;
}
