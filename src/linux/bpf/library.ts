import { existsSync } from 'node:fs';
import koffi, { type LibraryHandle } from 'koffi';
import { check, libc, SystemError } from '../libc.ts';

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
export class MissingLibrary extends Error {
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

/** A loaded eBPF object: its maps are pinned, or taken from the pins, in the directory it was loaded with. */
export class BpfObject {
  readonly #object: bigint;

  private constructor(object: bigint) {
    this.#object = object;
  }

  /**
   * @throws MissingLibrary
   * @throws SystemError with libbpf's own words, for example when a pinned map has another shape
   */
  static load(path: string, pinDirectory: string): BpfObject {
    const bpf = libbpf();
    const root = koffi.alloc('char', Buffer.byteLength(pinDirectory) + 1) as unknown;
    koffi.encode(root, 'char', pinDirectory, Buffer.byteLength(pinDirectory) + 1);
    const options = new Uint8Array(80); // struct bpf_object_open_opts
    const view = new DataView(options.buffer);
    view.setBigUint64(0, BigInt(options.length), true);
    view.setBigUint64(24, koffi.address(root), true);
    lastComplaint();
    try {
      const object = bpf.openFile(path, options);
      if (object === null) throw new SystemError('open eBPF object', path, koffi.errno());
      const result = bpf.loadObject(object);
      if (result < 0) {
        bpf.closeObject(object);
        throw new SystemError('load eBPF object', `${path} (${lastComplaint()})`, -result);
      }
      return new BpfObject(object);
    } finally {
      koffi.free(root);
    }
  }

  mapFd(name: string): number {
    return checkBpf(libbpf().mapFd(this.#object, name), 'eBPF map', name);
  }

  programFd(name: string): number {
    const program = libbpf().findProgram(this.#object, name);
    if (program === null) throw new SystemError('eBPF program', name, koffi.errno());
    return checkBpf(libbpf().programFd(program), 'eBPF program', name);
  }

  /** Lets go of maps and programs; what is pinned or attached stays. */
  close(): void {
    libbpf().closeObject(this.#object);
  }
}

/** Octets in a map's memory that this process and the kernel share. A 64-bit word in it changes in one store. */
export class MappedArray {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly #address: bigint;

  /** `length`: the array's elements times the size of one, which must be a multiple of 8. */
  constructor(fd: number, length: number, subject: string) {
    const readWrite = 3;
    const shared = 1;
    const address = BigInt(libbpf().mmap(null, length, readWrite, shared, fd, 0));
    check(address === -1n ? -1 : 0, 'mmap of eBPF map', subject);
    this.#address = address;
    this.bytes = new Uint8Array(koffi.view(address, length));
  }

  /** A pinned array, null if there is none. @throws SystemError */
  static ofPin(path: string, length: number): MappedArray | null {
    if (!existsSync(path)) return null;
    const fd = checkBpf(libbpf().openPin(path), 'open eBPF map', path);
    try {
      return new MappedArray(fd, length, path);
    } finally {
      libc().close(fd);
    }
  }

  words(): BigUint64Array<ArrayBuffer> {
    return new BigUint64Array(this.bytes.buffer);
  }

  /** Whoever still reads `bytes` after this ends the process. */
  unmap(): void {
    libbpf().munmap(this.#address, this.bytes.length);
  }
}

/** A map of fixed-size keys and values that has to be asked by system call. */
export class BpfMap {
  readonly #fd: number;
  readonly #name: string;
  readonly #keySize: number;
  readonly #value: Uint8Array;

  constructor(fd: number, name: string, keySize: number, valueSize: number) {
    this.#fd = fd;
    this.#name = name;
    this.#keySize = keySize;
    this.#value = new Uint8Array(valueSize);
  }

  /** @throws SystemError E2BIG when the map is full */
  set(key: Uint8Array, value: Uint8Array): void {
    checkBpf(libbpf().update(this.#fd, key, value, 0), 'update of eBPF map', this.#name);
  }

  /** A copy of the value, or null. */
  get(key: Uint8Array): Uint8Array<ArrayBuffer> | null {
    return libbpf().lookup(this.#fd, key, this.#value) < 0 ? null : new Uint8Array(this.#value);
  }

  /** Nothing if it is not there. */
  delete(key: Uint8Array): void {
    libbpf().remove(this.#fd, key);
  }

  /**
   * All keys of a hash, as they are come by: bucket by bucket, since from key to key one would begin anew at each that is
   * gone meanwhile, without end in a table that forgets. @throws SystemError
   */
  keys(): Uint8Array<ArrayBuffer>[] {
    const { errno } = koffi.os;
    const keys: Uint8Array<ArrayBuffer>[] = [];
    let from: Uint8Array | null = null;
    for (let room = 1024; ;) {
      const [next, count] = [word(0), word(room)];
      const found = new Uint8Array(room * this.#keySize);
      const values = new Uint8Array(room * this.#value.length);
      const result = libbpf().lookupBatch(this.#fd, from, next, found, values, count, null);
      if (result === -errno['ENOSPC']!) {
        room *= 2; // one bucket has more
        continue;
      }
      const isLast = result === -errno['ENOENT']!;
      if (!isLast) checkBpf(result, 'keys of eBPF map', this.#name);
      const end = new DataView(count.buffer).getUint32(0, true) * this.#keySize;
      for (let at = 0; at < end; at += this.#keySize) keys.push(found.slice(at, at + this.#keySize));
      if (isLast) return keys;
      from = next;
    }
  }
}

/** An array map of mapped arrays of one element each, which are added while programs run. */
export class ArrayOfArrays {
  readonly #map: BpfMap;
  readonly #name: string;
  readonly #length: number;

  /** `length`: octets of the element of each */
  constructor(fd: number, name: string, length: number) {
    this.#map = new BpfMap(fd, name, 4, 4);
    this.#name = name;
    this.#length = length;
  }

  /** Null if there is none with this number. @throws SystemError */
  get(number: number): MappedArray | null {
    const id = this.#map.get(word(number));
    if (!id) return null;
    return this.#mapped(
      checkBpf(libbpf().mapFdOf(new DataView(id.buffer).getUint32(0, true)), 'eBPF map in', this.#name),
    );
  }

  /** A new one, all zeros. Takes a grace period. @throws SystemError */
  create(number: number): MappedArray {
    const mapped = 0x400; // BPF_F_MMAPABLE
    const fd = createMap(mapTypes.array, 'hp_element', this.#length, { flags: mapped });
    return this.#mapped(fd, () => this.#map.set(word(number), word(fd)));
  }

  /** The mapping and the outer map keep the array; the descriptor goes. */
  #mapped(fd: number, place: () => void = () => {}): MappedArray {
    try {
      place();
      return new MappedArray(fd, this.#length, this.#name);
    } finally {
      libc().close(fd);
    }
  }
}

function word(value: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}

/** How many values a per-CPU map has for each key. */
export function possibleCpus(): number {
  return libbpf().possibleCpus();
}

export const mapTypes = { array: 2, arrayOfMaps: 12 } as const; // BPF_MAP_TYPE_ARRAY, BPF_MAP_TYPE_ARRAY_OF_MAPS

/** A map of one element; its descriptor. @throws SystemError */
export function createMap(
  type: number,
  name: string,
  valueSize: number,
  { flags = 0, innerFd = 0 } = {},
): number {
  const options = new Uint8Array(48); // struct bpf_map_create_opts
  const view = new DataView(options.buffer);
  view.setBigUint64(0, BigInt(options.length), true);
  view.setUint32(24, innerFd, true);
  view.setUint32(28, flags, true);
  return checkBpf(libbpf().createMap(type, name, 4, valueSize, 1, options), 'eBPF map', name);
}

/** Records taken in a turn of the event loop: programs that write without end keep nobody else waiting. */
const recordsAtOnce = 64;

/** Hands over each record of an eBPF ring buffer, until it is closed; `fd` is readable when there are any. */
export class RingBuffer {
  readonly fd: number;
  readonly #ring: bigint;
  readonly #callback: bigint;
  #isConsuming = false;
  #isClosed = false;
  #left = 0;

  constructor(mapFd: number, listener: (record: Uint8Array) => void) {
    const bpf = libbpf();
    this.#callback = koffi.register((_context: unknown, data: bigint, size: number) => {
      listener(new Uint8Array(koffi.view(data, size).slice(0)));
      return this.#isClosed || --this.#left === 0 ? stopConsuming : 0;
    }, bpf.eventPointer);
    const ring = bpf.ringNew(mapFd, this.#callback, null, null);
    if (ring === null) {
      koffi.unregister(this.#callback);
      throw new SystemError('eBPF ring buffer', String(mapFd), koffi.errno());
    }
    this.#ring = ring;
    this.fd = bpf.ringFd(ring);
  }

  /** What there is, but no more than a turn's share: of the rest `fd` stays readable. */
  consume(): void {
    this.#left = recordsAtOnce;
    this.#isConsuming = true;
    libbpf().ringConsume(this.#ring);
    this.#isConsuming = false;
    if (this.#isClosed) this.#free();
  }

  /** The listener may do so too. */
  close(): void {
    this.#isClosed = true;
    if (!this.#isConsuming) this.#free(); // libbpf still reads from it
  }

  #free(): void {
    libbpf().ringFree(this.#ring);
    koffi.unregister(this.#callback);
  }
}

const stopConsuming = -1; // the record counts as consumed

/** Mounts a bpffs on the directory. @throws SystemError */
export function mountBpffs(directory: string): void {
  check(libc().mount('bpf', directory, 'bpf', 0, null), 'mount of bpffs on', directory);
}

/** @throws SystemError */
export function unmountBpffs(directory: string): void {
  const detach = 2;
  check(libc().umount2(directory, detach), 'unmount of', directory);
}

const longestTestFrame = 16_384;

/** Runs a tc program on frames that no device received (BPF_PROG_TEST_RUN), as if one of the namespace's had. */
/** What makes a frame a super-frame: the octets of a segment (0: it is none), and how many there are (0: nobody has counted). */
export interface Gso {
  readonly size: number;
  readonly segments: number;
}

export const notGso: Gso = { size: 0, segments: 0 };

export class TestRun {
  readonly #programFd: number;
  readonly #memory = koffi.alloc('uint8_t', longestTestFrame + 192) as unknown;
  readonly #frame: Uint8Array;
  readonly #context: DataView;
  readonly #options = new Uint8Array(80); // struct bpf_test_run_opts
  readonly #view = new DataView(this.#options.buffer);

  constructor(programFd: number) {
    this.#programFd = programFd;
    const memory = koffi.view(this.#memory, longestTestFrame + 192);
    this.#frame = new Uint8Array(memory, 0, longestTestFrame);
    this.#context = new DataView(memory, longestTestFrame); // struct __sk_buff
    new Uint8Array(memory, longestTestFrame).fill(0);
    const address = koffi.address(this.#memory);
    this.#view.setBigUint64(0, BigInt(this.#options.length), true);
    this.#view.setBigUint64(8, address, true);
    this.#view.setBigUint64(32, address + BigInt(longestTestFrame), true);
    this.#view.setUint32(48, 192, true);
  }

  /** What the program returned, and the ns that a run took on average. @throws SystemError */
  run(
    frame: Uint8Array,
    ifindex: number,
    { repeat = 1, gso = notGso }: { readonly repeat?: number; readonly gso?: Gso } = {},
  ): { readonly action: number; readonly ns: number } {
    this.#frame.set(frame);
    this.#context.setUint32(40, ifindex, true);
    this.#context.setUint32(164, gso.segments, true);
    this.#context.setUint32(176, gso.size, true);
    this.#view.setUint32(24, frame.length, true);
    this.#view.setUint32(28, 0, true); // the room for results, of which the last run has left its size
    this.#view.setUint32(52, 0, true);
    this.#view.setUint32(60, repeat, true);
    const interrupted = -koffi.os.errno['EINTR']!;
    let result = interrupted;
    // a signal ends many runs early, and whoever asked for them wants them all
    while (result === interrupted) result = libbpf().testRun(this.#programFd, this.#options);
    checkBpf(result, 'test run of', 'an eBPF program');
    return { action: this.#view.getUint32(56, true), ns: this.#view.getUint32(64, true) };
  }

  close(): void {
    koffi.free(this.#memory);
  }
}
