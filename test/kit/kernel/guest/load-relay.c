/*
 * Loads the relay's object as the driver would, and lets a frame of one VSI to its neighbour at the same port through
 * it: load-relay OBJECT. Prints "forwarded" when all its programs load and the frame goes out, else what went wrong.
 */
#include "../../../../bpf/layout.h"
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdio.h>
#include <string.h>

#define REDIRECT 7 /* TC_ACT_REDIRECT */
#define LOOPBACK 1 /* its interface index */
#define PORT 1
#define VLAN_ID 10

static struct bpf_object *object;

static void set(const char *map, __u32 index, const void *value)
{
	if (bpf_map_update_elem(bpf_object__find_map_fd_by_name(object, map), &index, value, BPF_ANY))
		perror(map);
}

/* A VSI with slot and address of this number, untagged and active at the port, in the VLAN. */
static void add_vsi(__u8 number)
{
	struct source_key source = { .mac = { 2, 0, 0, 0, 0, number }, .port = PORT };
	struct destination_key destination = { .mac = { 2, 0, 0, 0, 0, number }, .vlan = VLAN_ID };
	address_value value = 2 | (__u64)number << 40 | (__u64)number << 48;
	struct slot slot = { .word = PORT | 1ULL << 48 };

	set("hp_slots", number, &slot);
	if (bpf_map_update_elem(bpf_object__find_map_fd_by_name(object, "hp_sources"), &source, &value, BPF_ANY) ||
	    bpf_map_update_elem(bpf_object__find_map_fd_by_name(object, "hp_destinations"), &destination, &value, BPF_ANY))
		perror("addresses");
}

static __u64 delivered(__u32 slot)
{
	struct slot its = {};

	bpf_map_lookup_elem(bpf_object__find_map_fd_by_name(object, "hp_slots"), &slot, &its);
	return its.tallies[0].frames[TO_VM];
}

int main(int count, char **arguments)
{
	struct port port = { .ifindex = LOOPBACK, .kind = STATION, .reflects = 1 };
	struct profile profile = { .vlan = VLAN_ID, .dscp = TRUST, .pcp = TRUST };
	__u64 on_interface = (__u64)LOOPBACK << 32 | PORT;
	__u8 frame[60] = { 2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x88, 0xb5 };
	struct __sk_buff context = { .ifindex = LOOPBACK };
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame, .data_size_in = sizeof(frame), .ctx_in = &context,
		    .ctx_size_in = sizeof(context), .repeat = 1);
	struct bpf_program *program;
	struct bpf_map *map;

	object = count > 1 ? bpf_object__open(arguments[1]) : NULL;
	if (!object)
		return 1;
	bpf_object__for_each_map(map, object)
		bpf_map__set_pin_path(map, NULL);
	if (bpf_object__load(object)) {
		printf("not loaded\n");
		return 1;
	}
	bpf_object__for_each_program(program, object)
		printf("loaded %s\n", bpf_program__name(program));
	set("hp_ports", PORT, &port);
	set("hp_profiles", 1, &profile);
	set("hp_interfaces", LOOPBACK, &on_interface);
	add_vsi(1);
	add_vsi(2);
	program = bpf_object__find_program_by_name(object, "hp_relay");
	if (bpf_prog_test_run_opts(bpf_program__fd(program), &run))
		perror("test run");
	if (run.retval == REDIRECT && delivered(2) == 1)
		printf("forwarded\n");
	else
		printf("dropped: action %u, %llu frames delivered\n", run.retval, delivered(2));
	return 0;
}
