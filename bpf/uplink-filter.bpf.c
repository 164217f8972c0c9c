// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * At the egress of the interface that VMs' interfaces stand on: the last word over control frames, where a VM got past
 * its own interface's filter, which the root of a network namespace may do (PACKET_QDISC_BYPASS, a macvlan of its own).
 * Only a packet socket of the host's own network namespace sends them: a macvlan hands on the socket with the frame, a
 * macvtap's is no packet socket, and the kernel sends none of its own here, since a bond's member or a bridge's port
 * carries no macvlan. Mark and priority say nothing: they survive a macvlan, and a VM can set them.
 */
#include "control.h"
#include <bpf/bpf_core_read.h>

char _license[] SEC("license") = "Dual BSD/GPL";

#define PACKET_FAMILY 17 /* AF_PACKET */

struct net {
	__u64 net_cookie;
} __attribute__((preserve_access_index));

typedef struct {
	struct net *net;
} possible_net_t;

struct sock_common {
	possible_net_t skc_net;
} __attribute__((preserve_access_index));

/* The cookie of its namespace. bpf_get_netns_cookie() says the same, but to tc only from Linux 6.15 on. */
static __always_inline __u64 cookie_of(struct bpf_sock *sk)
{
	struct bpf_sock *volatile slot = sk; /* the verifier lets nobody calculate with a pointer to a socket */
	struct sock_common *common;

	if (bpf_probe_read_kernel(&common, sizeof(common), (const void *)&slot))
		return 0;
	return BPF_CORE_READ(common, skc_net.net, net_cookie);
}

static __always_inline bool is_hosts(struct __sk_buff *skb)
{
	struct bpf_sock *sk = skb->sk;
	__u64 *host = word_of(HOST_COOKIE);

	return sk && host && *host && sk->family == PACKET_FAMILY && cookie_of(sk) == *host;
}

SEC("tc")
int hp_uplink(struct __sk_buff *skb)
{
	return is_control(skb) && !is_hosts(skb) ? drop(EGRESS_DROPS) : TC_ACT_UNSPEC;
}
