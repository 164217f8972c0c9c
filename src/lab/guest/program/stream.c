/* SPDX-License-Identifier: Apache-2.0
 *
 * The guest's end of the lab's streams (src/lab/stream/datagram.ts has the datagrams): receives probes on a UDP port,
 * counts them, beacons the counts to where the latest probe came from, once a millisecond, and answers queries. The same as
 * src/lab/stream/vm-side.ts, for a guest that has no Node.
 *
 * Freestanding: Linux system calls on x86-64 and nothing else. `stream` beside it is what scripts/build-guest-program
 * makes of it; a test compares the two.
 */
#include <stdint.h>

enum { port = 7979, interval_ns = 1000000 };
static const int64_t silence_ns = 30ll * 1000000000;
/* later than this many beacons is no late timer but a stop, and a VM does not make up for that */
static const int64_t most_owed = 5;

static const uint32_t probe_magic = 0x4870546f, quiet_probe_magic = 0x48705471, beacon_magic = 0x48704672;
static const uint32_t query_magic = 0x48705175, answer_magic = 0x4870416e;
enum { head_length = 16, beacon_length = 28, bits_offset = 20, answer_span = 8192, window = 1 << 16 };

/* ---- system calls: asm/unistd_64.h ---- */
enum { sys_sendto = 44, sys_recvfrom = 45, sys_socket = 41, sys_bind = 49, sys_setsockopt = 54, sys_clock_gettime = 228, sys_exit = 60, sys_ppoll = 271 };
enum { af_inet = 2, sock_dgram = 2, nonblock = 04000, clock_monotonic = 1, pollin = 1, sol_socket = 1, so_rcvbufforce = 33 };

struct address { uint16_t family, port; uint32_t host; uint8_t zero[8]; };
struct timespec { int64_t s, ns; };
struct pollfd { int32_t fd; int16_t events, revents; };

static inline long call(long number, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;
	long result;
	__asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return result;
}

static int64_t now(void)
{
	struct timespec t;
	call(sys_clock_gettime, clock_monotonic, (long)&t, 0, 0, 0, 0);
	return t.s * 1000000000 + t.ns;
}

/* ---- octets ---- */
static uint32_t get32(const uint8_t *at)
{
	uint32_t value;
	__builtin_memcpy(&value, at, 4);
	return __builtin_bswap32(value);
}

static uint64_t get64(const uint8_t *at)
{
	return (uint64_t)get32(at) << 32 | get32(at + 4);
}

static void put32(uint8_t *at, uint32_t value)
{
	value = __builtin_bswap32(value);
	__builtin_memcpy(at, &value, 4);
}

/* ---- what has been received of the present run ---- */
static uint64_t run;
static uint32_t distinct, duplicated;
static int64_t highest = -1;
/* the latest probe asks for silence */
static int quiet;
static uint8_t seen[window / 8];

static void forget(int64_t from, int64_t to)
{
	for (; from < to; from++)
		seen[from % window / 8] &= (uint8_t) ~(1 << from % 8);
}

/* 1 if `sequence` was not seen before; what is older than the window is taken for seen */
static int is_new(int64_t sequence)
{
	if (sequence <= highest - window)
		return 0;
	if (sequence > highest) {
		/* a whole window at most: what lies further back has the same bits */
		forget(sequence - highest > window ? sequence - window + 1 : highest + 1, sequence + 1);
		highest = sequence;
	}
	uint8_t bit = (uint8_t)(1 << sequence % 8), *octet = &seen[sequence % window / 8];
	if (*octet & bit)
		return 0;
	*octet |= bit;
	return 1;
}

/* 0 if the probe belongs to a measurement that is over */
static int receive(const uint8_t *probe)
{
	uint64_t its_run = get64(probe + 8);
	if (its_run < run)
		return 0;
	quiet = get32(probe) == quiet_probe_magic;
	if (its_run > run) {
		run = its_run;
		distinct = duplicated = 0;
		highest = -1;
		forget(0, window);
	}
	if (is_new(get32(probe + 4)))
		distinct++;
	else
		duplicated++;
	return 1;
}

static void put_head(uint8_t *bytes, uint32_t magic, uint32_t number)
{
	put32(bytes, magic);
	put32(bytes + 4, number);
	put32(bytes + 8, (uint32_t)(run >> 32));
	put32(bytes + 12, (uint32_t)run);
}

/* which probes of the present run were received, from one on that is a multiple of the span */
static void answer(int socket, const uint8_t *query, const struct address *peer)
{
	static uint8_t bytes[bits_offset + answer_span / 8];
	int64_t from = get32(query + 4);
	if (get64(query + 8) != run || from % answer_span)
		return;
	put_head(bytes, answer_magic, (uint32_t)from);
	put32(bytes + head_length, duplicated);
	for (int64_t at = from; at < from + answer_span; at += 8) {
		uint8_t octet = 0;
		for (int64_t one = at; one < at + 8; one++)
			if (one <= highest && one > highest - window && seen[one % window / 8] & 1 << one % 8)
				octet |= (uint8_t)(1 << one % 8);
		bytes[bits_offset + (at - from) / 8] = octet;
	}
	call(sys_sendto, socket, (long)bytes, sizeof bytes, 0, (long)peer, sizeof *peer);
}

static int is_probe(const uint8_t *bytes)
{
	return get32(bytes) == probe_magic || get32(bytes) == quiet_probe_magic;
}

static void beacon(int socket, uint32_t sequence, const struct address *peer)
{
	uint8_t bytes[beacon_length];
	put_head(bytes, beacon_magic, sequence);
	put32(bytes + 16, distinct);
	put32(bytes + 20, duplicated);
	put32(bytes + 24, highest < 0 ? 0 : (uint32_t)highest);
	call(sys_sendto, socket, (long)bytes, beacon_length, 0, (long)peer, sizeof *peer);
}

static void serve(int socket)
{
	struct address peer = { 0 };
	uint32_t sequence = 0;
	int64_t next = now(), probed_at = 0;
	for (;;) {
		uint8_t bytes[64];
		struct address from;
		uint32_t from_length = sizeof from;
		long length;
		while ((length = call(sys_recvfrom, socket, (long)bytes, sizeof bytes, 0, (long)&from, (long)&from_length)) >= 0)
			if (length == head_length && get32(bytes) == query_magic)
				answer(socket, bytes, &from);
			else if (length == head_length && is_probe(bytes) && receive(bytes)) {
				peer = from;
				probed_at = now();
			}
		int64_t at = now(), due = at < next ? 0 : (at - next) / interval_ns + 1;
		if (due > most_owed) {
			due = 1;
			next = at + interval_ns;
		} else
			next += due * interval_ns;
		if (peer.family && !quiet && at - probed_at <= silence_ns)
			while (due-- > 0)
				beacon(socket, sequence++, &peer);
		int64_t wait = next - now();
		if (wait > 0) {
			struct pollfd poll = { .fd = socket, .events = pollin };
			struct timespec timeout = { 0, wait };
			call(sys_ppoll, (long)&poll, 1, (long)&timeout, 0, 0, 0);
		}
	}
}

__attribute__((force_align_arg_pointer, noreturn)) void _start(void)
{
	struct address any = { .family = af_inet, .port = (uint16_t)(port << 8 | port >> 8) };
	int socket = (int)call(sys_socket, af_inet, sock_dgram | nonblock, 0, 0, 0, 0);
	/* what its NIC kept while it stood still comes all at once */
	int octets = 4 << 20;
	call(sys_setsockopt, socket, sol_socket, so_rcvbufforce, (long)&octets, sizeof octets, 0);
	if (socket >= 0 && call(sys_bind, socket, (long)&any, sizeof any, 0, 0, 0) == 0)
		serve(socket);
	call(sys_exit, 1, 0, 0, 0, 0, 0);
	__builtin_unreachable();
}
