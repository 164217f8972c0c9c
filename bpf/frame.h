// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The frame on its way through the program, and what its headers say. */
#pragma once
#include "maps.h"
#include <linux/if_ether.h>
#include <bpf/bpf_endian.h>
#include <stdbool.h>

/* What an access list or a guard may ask for, as numbers in host order; see `struct headers`. */
enum key {
	KEY_ETHER_TYPE,
	KEY_VLAN,              /* the fabric's */
	KEY_PROTOCOL,
	KEY_SOURCE_PORT,       /* of TCP, UDP and SCTP */
	KEY_DESTINATION_PORT,
	KEY_ESTABLISHED,       /* of TCP: 1 with ACK or RST, else 0 */
	KEY_ICMP_TYPE,         /* of ICMP and ICMPv6; of IGMP, for the guards */
	KEY_DSCP,
	KEY_FRAGMENT,          /* 1 or 0 */
	KEYS
};

/* Instead of a key that the frame does not show. */
#define LATER 0x10000   /* a fragment other than the first: it travelled ahead */
#define HIDDEN 0x10001  /* cut short or made to mislead */
#define NONE 0x10002    /* the protocol has no such field */

#define DIMENSIONS 25  /* of an access list, see access-list.h */

struct address {
	__u32 words[4];  /* network order; IPv4: the first only */
};

#define SEGMENT_OCTETS 14  /* of the segment behind the IP header: as far as TCP's flags */

struct headers {
	__u64 packet[(40 + SEGMENT_OCTETS + 7) / 8];  /* while it is read */
	struct address source, destination;
	__u32 keys[KEYS];
	__u32 vectors[DIMENSIONS];        /* what an access list found for them */
	__u8 macs[16] __attribute__((aligned(8))); /* 12: destination and source, as in the frame */
	__u32 end;                        /* where in the frame the IP packet ends; what is behind is padding */
	__u16 segment;                    /* where in the frame the protocol's own header is, if it can be read */
	__u8 family;                      /* 4, 6 or 0: no readable IP header */
};

/* Too large for the stack, so each CPU has one. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, __u32);
	__type(value, struct headers);
	__uint(max_entries, 1);
} hp_headers SEC(".maps");

struct copy {
	__u16 port;      /* 0: no copy */
	__u16 vid;
	__u16 truncate;  /* octets; 0: all */
	__u16 tenant;    /* whose it is where the port has a shaper */
	__u64 destination;
	__u16 vsi;       /* OF_VSI; 0: nobody's own */
	__u16 pad[3];
};

/*
 * No pointers: so it can be given to functions that are not static, which the verifier looks at once and not at every
 * caller.
 */
struct work {
	__u64 now;
	__u64 source, destination;      /* addresses, first octet lowest */
	__u64 written;                  /* destination address in the frame now */
	struct copy last;               /* the copy that is still to be sent */
	__u32 in_port;
	__u32 sender;                   /* slot, 0: it came from the network */
	__u32 next;                     /* node to look at in a walk through a VLAN's members */
	__u32 octets;
	__u32 tenant;                   /* whose the next copies are */
	__u16 ether_type;
	__u16 vid;                      /* of the tag it came with */
	__u16 vlan;
	__u16 priority;                 /* PCP and DEI, in the place they have in a tag */
	__u8 tagged;
	__u8 copied;                    /* a copy went to the network, sent or not */
	__u8 parsed;                    /* see headers_of */
	__u8 group;                     /* it is for many, see `served` */
	__u8 in_snap;                   /* the EtherType stands in a SNAP header, see type_in_snap */
	__u8 to_host;                   /* the switch's own stack gets it as it came */
	__u8 tally;                     /* the sender's, of its place here */
	__u8 pad;
	__u32 segments;                 /* see segments_of; 0: not looked at yet */
	__u32 pad2;
};

/* What each segment of a super-frame but the first has more on the link than in it: Ethernet, IPv4 and TCP headers. */
#define SEGMENT_HEADER 54

/*
 * How many frames a super-frame (GSO) becomes on the link; of a guest's the kernel does not know it yet. Looked at when it is
 * asked for, because it lies at the end of the frame's memory.
 */
static __always_inline __u32 segments_of(struct __sk_buff *skb, struct work *w)
{
	__u32 size, segments;

	if (w->segments)
		return w->segments;
	size = skb->gso_size;
	segments = 1;
	if (size) {
		segments = skb->gso_segs;
		if (!segments)
			segments = (w->octets + size - 1) / size;
	}
	w->segments = segments;
	return segments;
}

/* Its octets on the link, without check sequences. */
static __always_inline __u32 octets_on_link(struct __sk_buff *skb, struct work *w)
{
	return w->octets + (segments_of(skb, w) - 1) * SEGMENT_HEADER;
}

static __always_inline bool load(struct __sk_buff *skb, __u32 offset, void *to, __u32 length)
{
	return bpf_skb_load_bytes(skb, offset, to, length) == 0;
}

static __always_inline __u64 mac_at(const __u8 *octets)
{
	return *(__u32 *)octets | (__u64)*(__u16 *)(octets + 4) << 32;
}

/* Reads up to `most` octets at `offset`; how many there were. */
static __always_inline __u32 load_some(struct __sk_buff *skb, __u32 offset, void *to, __u32 most)
{
	__u32 length = skb->len, last;

	if (length <= offset)
		return 0;
	length -= offset;
	if (length > most)
		length = most;
	/* the verifier of Linux 6.1 sees that it is 1 to `most` only if the compiler does not */
	last = length - 1;
	asm volatile("" : "+r"(last));
	if (last >= most)
		return 0;
	return bpf_skb_load_bytes(skb, offset, to, last + 1) ? 0 : length;
}

/* Likewise, of what is behind the Ethernet header: without a call where it lies in one piece, as it mostly does. */
static __always_inline __u32 load_packet(struct __sk_buff *skb, void *to, __u32 most)
{
	void *packet = (void *)(long)skb->data + ETH_HLEN;
	__u32 at = 0;

	if (packet + most > (void *)(long)skb->data_end)
		return load_some(skb, ETH_HLEN, to, most);
	/* by words, which memcpy would not dare */
	for (; at + 8 <= most; at += 8)
		*(__u64 *)(to + at) = *(__u64 *)(packet + at);
	for (; at + 2 <= most; at += 2)
		*(__u16 *)(to + at) = *(__u16 *)(packet + at);
	return most;
}

#define PROTOCOL_ICMP 1
#define PROTOCOL_IGMP 2
#define PROTOCOL_TCP 6
#define PROTOCOL_UDP 17
#define PROTOCOL_FRAGMENT 44
#define PROTOCOL_AUTHENTICATION 51
#define PROTOCOL_ICMP6 58
#define PROTOCOL_SCTP 132
#define EXTENSION_HEADERS 6
#define TCP_ACK_OR_RST 0x14

static __always_inline void segment_keys(struct headers *h, __u32 key)
{
	h->keys[KEY_SOURCE_PORT] = key;
	h->keys[KEY_DESTINATION_PORT] = key;
	h->keys[KEY_ESTABLISHED] = key;
	h->keys[KEY_ICMP_TYPE] = key;
}

/* The keys of a segment whose first `length` octets are there. */
static __always_inline void parse_segment(struct headers *h, const __u8 *segment, __u32 length)
{
	__u32 protocol = h->keys[KEY_PROTOCOL];
	bool tcp = protocol == PROTOCOL_TCP;

	segment_keys(h, NONE);
	if (tcp || protocol == PROTOCOL_UDP || protocol == PROTOCOL_SCTP) {
		h->keys[KEY_SOURCE_PORT] = length < 4 ? HIDDEN : segment[0] << 8 | segment[1];
		h->keys[KEY_DESTINATION_PORT] = length < 4 ? HIDDEN : segment[2] << 8 | segment[3];
		if (tcp)
			h->keys[KEY_ESTABLISHED] = length < 14 ? HIDDEN : !!(segment[13] & TCP_ACK_OR_RST);
	} else if (protocol == PROTOCOL_ICMP || protocol == PROTOCOL_ICMP6 || protocol == PROTOCOL_IGMP) {
		h->keys[KEY_ICMP_TYPE] = length < 1 ? HIDDEN : segment[0];
	}
}

/* One that starts inside the first eight octets of TCP was made to overlap them (RFC 3128). */
static __always_inline void later_fragment(struct headers *h, __u16 offset)
{
	segment_keys(h, h->keys[KEY_PROTOCOL] == PROTOCOL_TCP && offset == 1 ? HIDDEN : LATER);
}

/* Of so many octets at `at`, those that are within the packet: a receiver that cuts the padding off sees no others. */
static __always_inline __u32 within(const struct headers *h, __u32 at, __u32 octets)
{
	if (at >= h->end)
		return 0;
	return octets > h->end - at ? h->end - at : octets;
}

static __always_inline bool is_extension(__u32 family, __u32 protocol)
{
	if (protocol == PROTOCOL_AUTHENTICATION)
		return true;
	/* hop-by-hop options, routing, fragment, destination options */
	return family == 6 && (protocol == 0 || protocol == 43 || protocol == PROTOCOL_FRAGMENT || protocol == 60);
}

/*
 * Goes on behind the extension headers, the first of which is the segment; KEY_PROTOCOL says which it is. They hide what they
 * are too many to be read, or too short.
 */
__noinline int follow(struct __sk_buff *skb, struct headers *h)
{
	__u8 segment[SEGMENT_OCTETS];
	__u32 at, length, protocol;

	if (!h)
		return 0;
	at = h->segment;
	protocol = h->keys[KEY_PROTOCOL];
	h->segment = 0;
	h->keys[KEY_PROTOCOL] = HIDDEN;
	segment_keys(h, HIDDEN);
	if (h->family == 6)
		h->keys[KEY_FRAGMENT] = HIDDEN;
	for (int i = 0; i < EXTENSION_HEADERS; i++) {
		__u16 fragment;

		length = within(h, at, load_some(skb, at, segment, SEGMENT_OCTETS));
		if (!is_extension(h->family, protocol)) {
			h->keys[KEY_PROTOCOL] = protocol;
			if (h->keys[KEY_FRAGMENT] == HIDDEN)
				h->keys[KEY_FRAGMENT] = 0;
			h->segment = at;
			parse_segment(h, segment, length);
			return 0;
		}
		if (length < 4)
			return 0;
		if (protocol == PROTOCOL_FRAGMENT) {
			fragment = segment[2] << 8 | segment[3];
			at += 8;
			/* one that is whole in spite of its fragment header is no fragment (RFC 6946) */
			if (fragment & 0xfff9)
				h->keys[KEY_FRAGMENT] = 1;
			if (fragment >> 3) {
				h->keys[KEY_PROTOCOL] = segment[0];
				later_fragment(h, fragment >> 3);
				return 0;
			}
		} else if (protocol == PROTOCOL_AUTHENTICATION) {
			at += (segment[1] + 2) * 4;
		} else {
			at += (segment[1] + 1) * 8;
		}
		protocol = segment[0];
	}
	return 0;
}

static __always_inline void parse_ipv4(struct __sk_buff *skb, struct headers *h)
{
	__u8 *packet = (__u8 *)h->packet;
	__u32 length = load_packet(skb, packet, 20 + SEGMENT_OCTETS);
	__u32 header = (packet[0] & 15) * 4, total = packet[2] << 8 | packet[3];
	__u16 offset;

	if (length < 20 || packet[0] >> 4 != 4 || header < 20 || (total && total < header))
		return;
	/* 0: a super-frame that is longer than the field can say, or nothing that a receiver would read on in */
	h->end = total ? ETH_HLEN + total : ~0U;
	h->family = 4;
	h->source.words[0] = *(__u32 *)(packet + 12);
	h->destination.words[0] = *(__u32 *)(packet + 16);
	h->keys[KEY_PROTOCOL] = packet[9];
	h->keys[KEY_DSCP] = packet[1] >> 2;
	h->keys[KEY_FRAGMENT] = (packet[6] & 0x3f) || packet[7];
	offset = (packet[6] & 0x1f) << 8 | packet[7];
	if (offset) {
		later_fragment(h, offset);
		return;
	}
	h->segment = ETH_HLEN + header;
	if (packet[9] == PROTOCOL_AUTHENTICATION) {
		follow(skb, h);
		return;
	}
	length -= 20;
	if (header > 20)
		length = load_some(skb, ETH_HLEN + header, packet + 20, SEGMENT_OCTETS);
	parse_segment(h, packet + 20, within(h, h->segment, length));
}

static __always_inline void parse_ipv6(struct __sk_buff *skb, struct headers *h)
{
	__u8 *packet = (__u8 *)h->packet;
	__u32 length = load_packet(skb, packet, 40 + SEGMENT_OCTETS);
	__u32 payload = packet[4] << 8 | packet[5];

	if (length < 40 || packet[0] >> 4 != 6)
		return;
	h->segment = ETH_HLEN + 40;
	h->end = payload ? h->segment + payload : ~0U;
	h->family = 6;
	h->source = *(struct address *)(packet + 8);
	h->destination = *(struct address *)(packet + 24);
	h->keys[KEY_DSCP] = (packet[0] & 15) << 2 | packet[1] >> 6;
	h->keys[KEY_FRAGMENT] = 0;
	h->keys[KEY_PROTOCOL] = packet[6];
	if (is_extension(6, packet[6]))
		follow(skb, h);
	else
		parse_segment(h, packet + 40, within(h, h->segment, length - 40));
}

/* Reads the keys, of which the EtherType is there; what is in SNAP has no readable IP header. Not static, so that the verifier looks at it once and not at every caller. */
__noinline int parse_headers(struct __sk_buff *skb, struct headers *h, __u32 in_snap)
{
	if (!h)
		return 0;
	h->family = 0;
	h->segment = 0;
	h->keys[KEY_PROTOCOL] = NONE;
	h->keys[KEY_DSCP] = NONE;
	h->keys[KEY_FRAGMENT] = NONE;
	segment_keys(h, NONE);
	if (in_snap)
		return 0;
	if (h->keys[KEY_ETHER_TYPE] == ETH_P_IP)
		parse_ipv4(skb, h);
	else if (h->keys[KEY_ETHER_TYPE] == ETH_P_IPV6)
		parse_ipv6(skb, h);
	return 0;
}

/* The frame's headers, read at the first time. */
static __always_inline struct headers *headers_of(struct __sk_buff *skb, struct work *w)
{
	__u32 only = 0;
	struct headers *h = bpf_map_lookup_elem(&hp_headers, &only);

	if (!h || w->parsed)
		return h;
	*(__u64 *)h->macs = w->destination | w->source << 48;
	*(__u64 *)(h->macs + 8) = w->source >> 16;
	h->keys[KEY_ETHER_TYPE] = w->ether_type;
	parse_headers(skb, h, w->in_snap);
	w->parsed = 1;
	return h;
}

static __always_inline bool is_tag(__u32 ether_type)
{
	/* 802.1Q's, and those of switches before 802.1ad: 0x9100, 0x9200, 0x9300 */
	return ether_type == ETH_P_8021Q || ether_type == ETH_P_8021AD ||
	       ((ether_type & 0xfcff) == 0x9000 && ether_type != 0x9000);
}

/* SNAP's service access point, for a group of them or not; who looks into SNAP does not always ask for the rest of LLC. */
static __always_inline bool is_snap(const __u8 *llc)
{
	return (llc[0] & 0xfe) == 0xaa;
}

/*
 * An EtherType behind a length, LLC and SNAP, with OUI 00-00-00 (RFC 1042), or 00-00-F8 of bridges (802.1H): few look there,
 * and some receivers do. 0: the frame has none.
 */
__noinline int type_in_snap(struct __sk_buff *skb)
{
	__u8 llc[8];

	if (!load(skb, ETH_HLEN, llc, sizeof(llc)) || !is_snap(llc))
		return 0;
	if (llc[3] || llc[4] || (llc[5] && llc[5] != 0xf8))
		return 0;
	return 0x10000 | llc[6] << 8 | llc[7];
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
