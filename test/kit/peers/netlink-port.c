// SPDX-License-Identifier: Apache-2.0
/*
 * Preloaded into libvirtd. libvirt 9.0 keeps the port id of its netlink socket in an int, and libnl makes port ids of
 * a counter that starts with the time: for half of each 17 minutes their highest bit is set, and every 802.1Qbg
 * request fails. So each socket gets an id of ours, below 2^31, before it is connected.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdatomic.h>
#include <stdint.h>
#include <unistd.h>

struct nl_sock;

int nl_connect(struct nl_sock *socket, int protocol)
{
	/* as libnl lays out its ids: the process in the low 22 bits, one of its sockets in those above */
	static atomic_uint sockets;
	void (*set_port)(struct nl_sock *, uint32_t) = dlsym(RTLD_NEXT, "nl_socket_set_local_port");
	int (*connect)(struct nl_sock *, int) = dlsym(RTLD_NEXT, "nl_connect");
	uint32_t number = 1 + atomic_fetch_add(&sockets, 1) % 511;

	set_port(socket, number << 22 | ((uint32_t)getpid() & 0x3fffff));
	return connect(socket, protocol);
}
