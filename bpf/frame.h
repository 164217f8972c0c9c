// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The frame on its way through the program, and what its headers say. */
#pragma once
#include "layout.h"
#include <linux/if_ether.h>
#include <bpf/bpf_endian.h>
#include <stdbool.h>

/* How far the fields behind the IP header can be judged. */
enum upper {
	UPPER_NONE,        /* not IP, or a protocol without ports */
	UPPER_KNOWN,       /* the ports are read */
	UPPER_LATER,       /* a fragment other than the first: the ports travelled ahead */
	UPPER_UNREADABLE,  /* cut short or made to mislead */
};

struct headers {
	__u32 source[4], destination[4];
	__u16 source_port, destination_port;
	__u16 ether_type;
	__u8 family;    /* 4, 6 or 0 */
	__u8 protocol;
	__u8 upper;
	__u8 parsed;
};

struct copy {
	__u16 port;  /* 0: no copy */
	__u16 vid;
	__u32 pad;
	__u64 destination;
};

/* A bit per port that has had its shared copy of the frame. Too large for the stack, so each CPU has one. */
struct served {
	__u64 ports[PORTS / 64];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, __u32);
	__type(value, struct served);
	__uint(max_entries, 1);
} hp_served SEC(".maps");

struct work {
	struct __sk_buff *skb;
	const struct profile *profile;  /* whose access list is being walked */
	__u64 now;
	__u64 source, destination;      /* addresses, first octet lowest */
	__u64 written;                  /* destination address in the frame now */
	__u32 in_port;
	__u32 sender;                   /* slot, 0: it came from the network */
	__u32 next;                     /* slot to look at in a walk through a VLAN's members */
	__u32 octets;
	__u16 vlan;
	__u16 priority;                 /* PCP and DEI, in the place they have in a tag */
	__u16 direction;
	__u8 allowed;
	__u8 copied;                    /* a copy for somebody was made, sent or not */
	struct copy last;               /* the copy that is still to be sent */
	struct served *served;          /* set for group frames */
	struct headers headers;
};

static __always_inline bool load(struct __sk_buff *skb, __u32 offset, void *to, __u32 length)
{
	return bpf_skb_load_bytes(skb, offset, to, length) == 0;
}

static __always_inline __u64 mac_at(const __u8 *octets)
{
	__u64 mac = 0;
	for (int i = 5; i >= 0; i--)
		mac = mac << 8 | octets[i];
	return mac;
}

#define PROTOCOL_TCP 6
#define PROTOCOL_UDP 17
#define PROTOCOL_SCTP 132
#define PROTOCOL_FRAGMENT 44
#define EXTENSION_HEADERS 6

static __always_inline void parse_ports(struct __sk_buff *skb, struct headers *h, __u32 offset)
{
	__u16 ports[2];

	h->upper = UPPER_NONE;
	if (h->protocol != PROTOCOL_TCP && h->protocol != PROTOCOL_UDP && h->protocol != PROTOCOL_SCTP)
		return;
	if (!load(skb, offset, ports, 4)) {
		h->upper = UPPER_UNREADABLE;
		return;
	}
	h->upper = UPPER_KNOWN;
	h->source_port = bpf_ntohs(ports[0]);
	h->destination_port = bpf_ntohs(ports[1]);
}

/* A later fragment has no ports; one that starts inside the first eight octets of TCP was made to overlap them (RFC 3128). */
static __always_inline __u8 later_fragment(struct headers *h, __u16 offset)
{
	return h->protocol == PROTOCOL_TCP && offset == 1 ? UPPER_UNREADABLE : UPPER_LATER;
}

static __always_inline void parse_ipv4(struct __sk_buff *skb, struct headers *h)
{
	__u8 ip[20];
	__u16 fragment;

	h->upper = UPPER_UNREADABLE;
	if (!load(skb, ETH_HLEN, ip, sizeof(ip)) || ip[0] >> 4 != 4 || (ip[0] & 15) < 5)
		return;
	h->family = 4;
	h->protocol = ip[9];
	__builtin_memcpy(&h->source[0], ip + 12, 4);
	__builtin_memcpy(&h->destination[0], ip + 16, 4);
	fragment = (ip[6] & 0x1f) << 8 | ip[7];
	if (fragment)
		h->upper = later_fragment(h, fragment);
	else
		parse_ports(skb, h, ETH_HLEN + (ip[0] & 15) * 4);
}

static __always_inline void parse_ipv6(struct __sk_buff *skb, struct headers *h)
{
	__u32 offset = ETH_HLEN + 40;
	__u8 ip[40];

	h->upper = UPPER_UNREADABLE;
	if (!load(skb, ETH_HLEN, ip, sizeof(ip)) || ip[0] >> 4 != 6)
		return;
	h->family = 6;
	h->protocol = ip[6];
	__builtin_memcpy(h->source, ip + 8, 16);
	__builtin_memcpy(h->destination, ip + 24, 16);
	for (int i = 0; i < EXTENSION_HEADERS; i++) {
		__u8 extension[4];
		__u16 fragment;

		/* hop-by-hop options, routing, fragment, destination options */
		if (h->protocol != 0 && h->protocol != 43 && h->protocol != PROTOCOL_FRAGMENT && h->protocol != 60) {
			parse_ports(skb, h, offset);
			return;
		}
		if (!load(skb, offset, extension, 4))
			return;
		if (h->protocol == PROTOCOL_FRAGMENT) {
			h->protocol = extension[0];
			fragment = (extension[2] << 8 | extension[3]) >> 3;
			if (fragment) {
				h->upper = later_fragment(h, fragment);
				return;
			}
			offset += 8;
		} else {
			h->protocol = extension[0];
			offset += (extension[1] + 1) * 8;
		}
	}
}

/* Reads what an access list may ask for. Not static, so that the verifier looks at it once and not at every caller. */
__noinline int parse_headers(struct __sk_buff *skb, struct headers *h)
{
	if (!h)
		return 0;
	h->parsed = 1;
	if (h->ether_type == ETH_P_IP)
		parse_ipv4(skb, h);
	else if (h->ether_type == ETH_P_IPV6)
		parse_ipv6(skb, h);
	return 0;
}

/* A gratuitous ARP (RFC 5227, 3), a RARP, or an unsolicited neighbour advertisement (RFC 4861, 7.2.6). */
__noinline int is_announcement(struct __sk_buff *skb, __u32 ether_type)
{
	__u8 arp[28], ip6[45];

	switch (ether_type) {
	case ETH_P_RARP:
		return true;
	case ETH_P_ARP:
		return load(skb, ETH_HLEN, arp, sizeof(arp)) && arp[2] == 8 && arp[3] == 0 && arp[5] == 4 &&
		       __builtin_memcmp(arp + 14, arp + 24, 4) == 0;
	case ETH_P_IPV6:
		return load(skb, ETH_HLEN, ip6, sizeof(ip6)) && ip6[6] == 58 && ip6[40] == 136 && !(ip6[44] & 0x40);
	default:
		return false;
	}
}
