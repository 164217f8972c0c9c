// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What a VM may not send (Guards in src/domain/port-profile.ts). What cannot be read may be what is guarded against. */
#pragma once
#include "link-local.h"

#define DHCP_SERVER 67
#define DHCP_CLIENT 68
#define DHCP_SERVER6 547
#define DHCP_CLIENT6 546

#define GROUP_REPORT 0x12
#define GROUP_REPORT2 0x16
#define GROUP_LEAVE 0x17
#define GROUP_REPORT3 0x22

#define LISTENER_REPORT 131
#define LISTENER_DONE 132
#define ROUTER_SOLICITATION 133
#define NEIGHBOUR_SOLICITATION 135
#define NEIGHBOUR_ADVERTISEMENT 136
#define REDIRECT 137
#define LISTENER_REPORT2 143

#define CISCO 0xcccccc0c0001ULL /* 01-00-0C-CC-CC-CC, first octet lowest */
#define CISCO_PVST 0xcdcccc0c0001ULL

static __always_inline bool is_between_bridges(struct __sk_buff *skb, struct work *w)
{
	__u8 llc[6];

	/* 01-80-C2-00-00-10 to -3F; what is below is never relayed */
	if ((w->destination & 0xffffffffff) == 0x00c28001ULL && w->destination >> 44 >= 1 && w->destination >> 44 <= 3)
		return true;
	if (w->destination == CISCO || w->destination == CISCO_PVST)
		return true;
	switch (w->ether_type) {
	case 0x8940: /* ECP */
	case 0x88b7: /* the draft's */
	case 0x88cc: /* LLDP */
	case 0x8809: /* slow protocols */
	case 0x8808: /* pause */
	case 0x88f5: /* MVRP */
	case 0x88f6: /* MMRP */
	case 0x8902: /* CFM */
	case 0x888e: /* EAPOL */
		return true;
	}
	if (w->ether_type >= 0x0600 || load_some(skb, ETH_HLEN, llc, sizeof(llc)) < 2)
		return false;
	if ((llc[0] & 0xfe) == 0x42)
		return true;
	return is_snap(llc) && load(skb, ETH_HLEN, llc, sizeof(llc)) && llc[3] == 0 && llc[4] == 0 &&
	       llc[5] == 0x0c;
}

static __always_inline bool is_ip(__u32 ether_type)
{
	return ether_type == ETH_P_IP || ether_type == ETH_P_IPV6;
}

/* It is known by the port that it comes from, and by the one that it goes to. */
static __always_inline bool may_be_dhcp_server(const struct headers *h)
{
	__u32 source = h->keys[KEY_SOURCE_PORT], destination = h->keys[KEY_DESTINATION_PORT];

	if (!is_ip(h->keys[KEY_ETHER_TYPE]))
		return false;
	if (!h->family || h->keys[KEY_PROTOCOL] == HIDDEN)
		return true;
	if (h->keys[KEY_PROTOCOL] != PROTOCOL_UDP)
		return false;
	if (source == HIDDEN)
		return true;
	return h->family == 4 ? source == DHCP_SERVER || destination == DHCP_CLIENT :
				source == DHCP_SERVER6 || destination == DHCP_CLIENT6;
}

static __always_inline bool may_be_router(const struct headers *h)
{
	__u32 type = h->keys[KEY_ICMP_TYPE];

	if (h->keys[KEY_ETHER_TYPE] != ETH_P_IPV6)
		return false;
	if (!h->family || h->keys[KEY_PROTOCOL] == HIDDEN)
		return true;
	return h->keys[KEY_PROTOCOL] == PROTOCOL_ICMP6 && (type == HIDDEN || type == ROUTER_ADVERTISEMENT || type == REDIRECT);
}

static __always_inline bool is_zero(const struct address *a)
{
	return !(a->words[0] | a->words[1] | a->words[2] | a->words[3]);
}

/* Among the addresses that the VSI was given. */
static __always_inline bool was_given(__u32 slot, __u32 family, const struct address *address)
{
	struct ip_key key = { .slot = slot, .family = family };
	struct slot *its = slot_at(slot);

	/* mostly the first */
	if (its && family == 4 && its->ip4 && its->ip4 == address->words[0])
		return true;
	if (its && family == 6 && its->ip6[3] == address->words[3] && its->ip6[0] && its->ip6[0] == address->words[0] &&
	    its->ip6[1] == address->words[1] && its->ip6[2] == address->words[2])
		return true;
	__builtin_memcpy(key.address, address, family == 4 ? 4 : 16);
	return bpf_map_lookup_elem(&hp_ips, &key) != NULL;
}

static __always_inline bool is_own6(struct work *w, __u32 slot, const struct address *a)
{
	bool given;

	if (is_link_local_of(a, w->source))
		return true;
	given = was_given(slot, 6, a);
	return is_link_local(a) ? claim(w, slot, a, given) : given;
}

/* Its own hardware address, and its own protocol address or, to probe one, none yet (RFC 5227, 2.1.1). */
static __always_inline bool speaks_in_arp(struct __sk_buff *skb, struct work *w, __u32 slot)
{
	struct address sender = {};
	__u8 arp[28];

	if (!load(skb, ETH_HLEN, arp, sizeof(arp)))
		return false;
	if (arp[0] != 0 || arp[1] != 1 || arp[2] != 8 || arp[3] != 0 || arp[4] != 6 || arp[5] != 4)
		return false;
	if (mac_at(arp + 8) != w->source)
		return false;
	__builtin_memcpy(&sender, arp + 14, 4);
	if (!sender.words[0] && arp[6] == 0 && arp[7] == 1)
		return true;
	return was_given(slot, 4, &sender);
}

/* From no address yet: to a DHCP server, and about the groups that it wants to hear. */
static __always_inline bool speaks_in_ipv4(const struct headers *h, __u32 slot)
{
	__u32 protocol = h->keys[KEY_PROTOCOL], type = h->keys[KEY_ICMP_TYPE];

	if (!h->source.words[0] && protocol == PROTOCOL_UDP && h->keys[KEY_DESTINATION_PORT] == DHCP_SERVER)
		return true;
	if (!h->source.words[0] && protocol == PROTOCOL_IGMP &&
	    (type == GROUP_REPORT || type == GROUP_REPORT2 || type == GROUP_LEAVE || type == GROUP_REPORT3))
		return true;
	return was_given(slot, 4, &h->source);
}

static __always_inline bool speaks_in_ipv6(struct __sk_buff *skb, struct work *w, const struct headers *h, __u32 slot)
{
	bool own, none = is_zero(&h->source);
	__u32 type = h->keys[KEY_ICMP_TYPE];
	struct address target;

	if (h->keys[KEY_PROTOCOL] == HIDDEN || (h->keys[KEY_PROTOCOL] == PROTOCOL_ICMP6 && type == HIDDEN))
		return false;
	own = is_own6(w, slot, &h->source);
	if (h->keys[KEY_PROTOCOL] != PROTOCOL_ICMP6 || type == LATER)
		return own;
	if (!own && !(none && (type == ROUTER_SOLICITATION || type == NEIGHBOUR_SOLICITATION || type == LISTENER_REPORT ||
			       type == LISTENER_DONE || type == LISTENER_REPORT2)))
		return false;
	if (type != NEIGHBOUR_ADVERTISEMENT && !(type == NEIGHBOUR_SOLICITATION && none))
		return true;
	return within(h, h->segment + 8, sizeof(target)) == sizeof(target) && load(skb, h->segment + 8, &target, sizeof(target)) &&
	       is_own6(w, slot, &target);
}

static __always_inline bool speaks_for_itself(struct __sk_buff *skb, struct work *w, const struct headers *h, __u32 slot)
{
	if (w->ether_type == ETH_P_ARP)
		return !w->in_snap && speaks_in_arp(skb, w, slot);
	if (!is_ip(w->ether_type))
		return true;
	if (!h->family)
		return false;
	return h->family == 4 ? speaks_in_ipv4(h, slot) : speaks_in_ipv6(skb, w, h, slot);
}

/* The first guard against this frame, or REASONS. */
__noinline int guard(struct __sk_buff *skb, struct work *w, __u32 does, __u32 slot)
{
	struct headers *h;

	if (!w)
		return REASONS;
	if (does & DOES_GUARD_CONTROL && is_between_bridges(skb, w))
		return GUARD_CONTROL;
	if (!(does & DOES_GUARD & ~DOES_GUARD_CONTROL))
		return REASONS;
	h = headers_of(skb, w);
	if (!h)
		return GUARD_ADDRESS;
	if (does & DOES_GUARD_DHCP && may_be_dhcp_server(h))
		return GUARD_DHCP;
	if (does & DOES_GUARD_RA && may_be_router(h))
		return GUARD_RA;
	if (does & DOES_GUARD_ADDRESS && !speaks_for_itself(skb, w, h, slot))
		return GUARD_ADDRESS;
	return REASONS;
}
