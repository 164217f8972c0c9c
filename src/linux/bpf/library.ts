import koffi, { type LibraryHandle } from 'koffi';
import { Failure } from '../../base/failure.ts';
import { SystemError } from '../libc.ts';

type Call = (...args: never[]) => number;

/** The functions of libbpf 1.x and libc that eBPF objects and maps need. Loaded at first use. */
function load() {
  let lib: LibraryHandle;
  try {
    lib = koffi.load('libbpf.so.1');
  } catch {
    throw new MissingLibrary('libbpf.so.1 is missing; install Debian package libbpf1');
  }
  const c = koffi.load('libc.so.6');
  // oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the prototype is C's, the type is ours
  const bpf = <F extends Call | ((...args: never[]) => bigint | null)>(prototype: string) =>
    lib.func(prototype) as unknown as F;
  const printed = koffi.proto('int hp_libbpf_print(int level, const char *format, void *arguments)');
  const vsnprintf = c.func(
    'int vsnprintf(_Out_ uint8_t *to, size_t size, const char *format, void *arguments)',
  );
  const complaint = new Uint8Array(512);
  const complain = koffi.register((level: number, format: string, args: unknown) => {
    if (level === 0) {
      const length = vsnprintf(complaint, complaint.length, format, args) as number;
      const text = Buffer.from(complaint.subarray(0, Math.min(length, complaint.length - 1))).toString();
      complaints.push(text.trim().slice(-200));
      if (complaints.length > 3) complaints.shift();
    }
    return 0;
  }, koffi.pointer(printed));
  lib.func('void *libbpf_set_print(void *print)')(complain);
  const eventProto = koffi.proto('int hp_ring_event(void *context, void *data, size_t size)');
  return {
    eventPointer: koffi.pointer(eventProto),
    openFile: bpf<(path: string, options: Uint8Array) => bigint | null>(
      'void *bpf_object__open_file(const char *path, const void *options)',
    ),
    loadObject: bpf<(object: bigint) => number>('int bpf_object__load(void *object)'),
    closeObject: bpf<(object: bigint) => number>('void bpf_object__close(void *object)'),
    mapFd: bpf<(object: bigint, name: string) => number>(
      'int bpf_object__find_map_fd_by_name(void *object, const char *name)',
    ),
    findProgram: bpf<(object: bigint, name: string) => bigint | null>(
      'void *bpf_object__find_program_by_name(void *object, const char *name)',
    ),
    programFd: bpf<(program: bigint) => number>('int bpf_program__fd(void *program)'),
    testRun: bpf<(fd: number, options: Uint8Array) => number>(
      'int bpf_prog_test_run_opts(int fd, _Inout_ void *options)',
    ),
    hookCreate: bpf<(hook: Uint8Array) => number>('int bpf_tc_hook_create(_Inout_ void *hook)'),
    hookDestroy: bpf<(hook: Uint8Array) => number>('int bpf_tc_hook_destroy(_Inout_ void *hook)'),
    attach: bpf<(hook: Uint8Array, options: Uint8Array) => number>(
      'int bpf_tc_attach(const void *hook, _Inout_ void *options)',
    ),
    update: bpf<(fd: number, key: Uint8Array, value: Uint8Array, flags: number) => number>(
      'int bpf_map_update_elem(int fd, const void *key, const void *value, uint64_t flags)',
    ),
    lookup: bpf<(fd: number, key: Uint8Array, value: Uint8Array) => number>(
      'int bpf_map_lookup_elem(int fd, const void *key, _Out_ void *value)',
    ),
    remove: bpf<(fd: number, key: Uint8Array) => number>('int bpf_map_delete_elem(int fd, const void *key)'),
    lookupBatch: bpf<
      (
        fd: number,
        from: Uint8Array | null,
        next: Uint8Array,
        keys: Uint8Array,
        values: Uint8Array,
        count: Uint8Array,
        options: null,
      ) => number
    >(
      'int bpf_map_lookup_batch(int fd, void *from, _Out_ void *next, _Out_ void *keys, _Out_ void *values, _Inout_ uint32_t *count, const void *options)',
    ),
    createMap: bpf<
      (
        type: number,
        name: string,
        keySize: number,
        valueSize: number,
        entries: number,
        options: Uint8Array,
      ) => number
    >(
      'int bpf_map_create(int type, const char *name, uint32_t key, uint32_t value, uint32_t entries, const void *options)',
    ),
    mapFdOf: bpf<(id: number) => number>('int bpf_map_get_fd_by_id(uint32_t id)'),
    detach: bpf<(hook: Uint8Array, options: Uint8Array) => number>(
      'int bpf_tc_detach(const void *hook, const void *options)',
    ),
    tcQuery: bpf<(hook: Uint8Array, options: Uint8Array) => number>(
      'int bpf_tc_query(const void *hook, _Inout_ void *options)',
    ),
    query: bpf<
      (ifindex: number, type: number, flags: number, attached: null, ids: null, count: Uint8Array) => number
    >(
      'int bpf_prog_query(int target, int type, uint32_t flags, void *attached, void *ids, _Inout_ uint32_t *count)',
    ),
    linkCreate: bpf<(programFd: number, ifindex: number, type: number, options: null) => number>(
      'int bpf_link_create(int program, int target, int type, const void *options)',
    ),
    linkUpdate: bpf<(linkFd: number, programFd: number, options: null) => number>(
      'int bpf_link_update(int link, int program, const void *options)',
    ),
    linkDetach: bpf<(linkFd: number) => number>('int bpf_link_detach(int link)'),
    pin: bpf<(fd: number, path: string) => number>('int bpf_obj_pin(int fd, const char *path)'),
    openPin: bpf<(path: string) => number>('int bpf_obj_get(const char *path)'),
    possibleCpus: bpf<() => number>('int libbpf_num_possible_cpus()'),
    ringNew: bpf<(fd: number, callback: bigint, context: null, options: null) => bigint | null>(
      'void *ring_buffer__new(int fd, void *callback, void *context, const void *options)',
    ),
    ringFd: bpf<(ring: bigint) => number>('int ring_buffer__epoll_fd(const void *ring)'),
    ringConsume: bpf<(ring: bigint) => number>('int ring_buffer__consume(void *ring)'),
    ringFree: bpf<(ring: bigint) => number>('void ring_buffer__free(void *ring)'),
    mmap: c.func(
      'intptr_t mmap(void *address, size_t length, int protection, int flags, int fd, int64_t offset)',
    ) as unknown as (
      address: null,
      length: number,
      protection: number,
      flags: number,
      fd: number,
      offset: number,
    ) => number | bigint,
    munmap: c.func('int munmap(void *address, size_t length)') as unknown as (
      address: bigint,
      length: number,
    ) => number,
  };
}

/** libbpf is not installed; the message says how to get it. */
export class MissingLibrary extends Failure {
  override name = 'MissingLibrary';
}

const complaints: string[] = [];
let loaded: ReturnType<typeof load> | undefined;

/** libbpf's functions; a negative return is for `checkBpf`. @throws MissingLibrary */
export function libbpf(): ReturnType<typeof load> {
  return (loaded ??= load());
}

/** What libbpf complained about since the last call, its last lines. */
export function lastComplaint(): string {
  return complaints.splice(0).join('; ').replaceAll('\n', ' ');
}

/** libbpf 1.x returns the negative errno itself. */
export function checkBpf(result: number, call: string, subject: string): number {
  if (result < 0) throw new SystemError(call, subject, -result);
  return result;
}

/** How many values a per-CPU map has for each key. */
export function possibleCpus(): number {
  return libbpf().possibleCpus();
}
