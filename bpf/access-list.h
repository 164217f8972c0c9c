// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The first rule that matches decides (AccessList in src/domain/port-profile.ts). */
#pragma once
#include "frame.h"

static __always_inline bool in_prefix(const __u32 *address, const struct prefix *prefix)
{
	__u32 difference = 0;

	for (int i = 0; i < 4; i++)
		difference |= (address[i] ^ prefix->address[i]) & prefix->mask[i];
	return !difference;
}

static __always_inline bool in_range(__u16 port, const __u16 *range)
{
	return port >= range[0] && port <= range[1];
}

/*
 * What a frame does not show decides against it: a deny rule takes it for a match, an allow rule does not. The
 * exception is a later fragment: its first fragment was judged, and without that one it is of no use to anybody.
 */
static __always_inline bool matches_upper(const struct headers *h, const struct rule *rule)
{
	if (rule->matches & MATCH_PROTOCOL) {
		if (!h->family)
			return false;
		/* an unreadable IPv6 header chain may lead to any protocol, an IPv4 header names its own */
		if (h->protocol != rule->protocol)
			return h->upper == UPPER_UNREADABLE && h->family == 6 && !rule->allow;
	}
	if (!(rule->matches & (MATCH_SOURCE_PORTS | MATCH_DESTINATION_PORTS)))
		return true;
	if (h->upper == UPPER_LATER)
		return rule->allow;
	if (h->upper == UPPER_UNREADABLE)
		return !rule->allow;
	if (h->upper == UPPER_NONE)
		return false;
	if (rule->matches & MATCH_SOURCE_PORTS && !in_range(h->source_port, rule->source_ports))
		return false;
	return !(rule->matches & MATCH_DESTINATION_PORTS) || in_range(h->destination_port, rule->destination_ports);
}

static long try_rule(__u32 index, void *context)
{
	struct work *w = context;
	const struct headers *h = &w->headers;
	const struct rule *rule;

	if (index >= RULES)
		return 1;
	rule = &w->profile->rules[index];
	if (!(rule->directions & 1 << (w->direction & 1)))
		return 0;
	if (rule->matches & MATCH_ETHER_TYPE && h->ether_type != rule->ether_type)
		return 0;
	if (rule->matches & MATCH_SOURCE &&
	    (h->family != rule->source_family || !in_prefix(h->source, &rule->source)))
		return 0;
	if (rule->matches & MATCH_DESTINATION &&
	    (h->family != rule->destination_family || !in_prefix(h->destination, &rule->destination)))
		return 0;
	if (!matches_upper(h, rule))
		return 0;
	w->allowed = rule->allow;
	return 1;
}

static __always_inline bool access_list_allows(struct work *w, const struct profile *profile, enum direction direction)
{
	w->allowed = profile->otherwise_allow;
	if (profile->rules_count) {
		if (!w->headers.parsed)
			parse_headers(w->skb, &w->headers);
		if (w->headers.upper == UPPER_UNREADABLE && !w->headers.family)
			return false;
		w->profile = profile;
		w->direction = direction;
		bpf_loop(profile->rules_count, try_rule, w, 0);
	}
	return w->allowed;
}
