/*
 * Loads the filters of VMs' control frames as the station would, and runs each on a control frame and on another one:
 * load-filter VM-OBJECT UPLINK-OBJECT. A test run's frame has a socket, of no family.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdio.h>

static const __u8 lldp[60] = { 1, 0x80, 0xc2, 0, 0, 0xe, 2, 0, 0, 0, 0, 1, 0x88, 0xcc };
static const __u8 ordinary[60] = { 2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x88, 0xb5 };

static struct bpf_object *load(const char *path)
{
	struct bpf_object *object = bpf_object__open(path);
	struct bpf_program *program;

	if (!object || bpf_object__load(object)) {
		printf("not loaded: %s\n", path);
		return NULL;
	}
	bpf_object__for_each_program(program, object)
		printf("loaded %s\n", bpf_program__name(program));
	return object;
}

static int program(struct bpf_object *object, const char *name)
{
	return bpf_program__fd(bpf_object__find_program_by_name(object, name));
}

static void run(int fd, const char *what, const __u8 *frame)
{
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame, .data_size_in = 60, .repeat = 1);

	if (bpf_prog_test_run_opts(fd, &options))
		perror("test run");
	printf("%s: action %d\n", what, (int)options.retval);
}

int main(int count, char **arguments)
{
	struct bpf_object *vm = load(arguments[1]), *uplink = load(arguments[2]);

	if (!vm || !uplink)
		return 1;
	run(program(vm, "hp_vm_egress"), "LLDP of a VM", lldp);
	run(program(vm, "hp_vm_ingress"), "LLDP to a VM", lldp);
	run(program(vm, "hp_vm_egress"), "something else of a VM", ordinary);
	run(program(uplink, "hp_uplink"), "LLDP of a socket that is no packet socket", lldp);
	run(program(uplink, "hp_uplink"), "something else of it", ordinary);
	return 0;
}
