import koffi from 'koffi';
import { checkBpf, lastComplaint, libbpf } from './library.ts';
import { BpfMap } from './maps.ts';
import { libc } from '../libc.ts';
import { clsactHooks, filter, hookOf, replaceFlag, tcxTypes, type Hook } from './tc-program.ts';

/** Where a program is held: by the interface alone, as long as that exists. No process and no file has to keep it. */
export interface Place {
  readonly hook: Hook;
  /** in this thread's namespace */
  readonly ifindex: number;
}

/** A program that an interface holds. */
interface Held {
  readonly id: number;
  readonly name: string;
  /** the same for the same instructions */
  readonly tag: string;
  /** its one map */
  readonly mapId: number;
}

/** Of our tc filters at a clsact qdisc, at priority 1, beside the relay's with 1. */
const handle = 0x4850;
const first = 1 << 3; // BPF_F_BEFORE, relative to nobody
const mostPrograms = 64; // BPF_MPROG_MAX

type Call<A extends unknown[]> = (...args: A) => number;

function load() {
  libbpf(); // which says what is missing, and keeps libbpf from printing
  const lib = koffi.load('libbpf.so.1');
  // oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the prototype is C's, the type is ours
  const bpf = <A extends unknown[]>(prototype: string) => lib.func(prototype) as unknown as Call<A>;
  return {
    attach: bpf<[programFd: number, ifindex: number, type: number, flags: number]>(
      'int bpf_prog_attach(int program, int target, int type, unsigned int flags)',
    ),
    detach: bpf<[programFd: number, ifindex: number, type: number]>(
      'int bpf_prog_detach2(int program, int target, int type)',
    ),
    query: bpf<
      [ifindex: number, type: number, flags: number, attached: null, ids: Uint8Array, count: Uint8Array]
    >(
      'int bpf_prog_query(int target, int type, uint32_t flags, void *attached, _Out_ void *ids, _Inout_ uint32_t *count)',
    ),
    programFdOf: bpf<[id: number]>('int bpf_prog_get_fd_by_id(uint32_t id)'),
    info: bpf<[fd: number, info: Uint8Array, length: Uint8Array]>(
      'int bpf_obj_get_info_by_fd(int fd, _Inout_ void *info, _Inout_ uint32_t *length)',
    ),
    tcQuery: bpf<[hook: Uint8Array, options: Uint8Array]>(
      'int bpf_tc_query(const void *hook, _Inout_ void *options)',
    ),
  };
}
let loaded: ReturnType<typeof load> | undefined;
const programs = (): ReturnType<typeof load> => (loaded ??= load());

/**
 * Attaches a program in front of all others; those of its name that are there are taken off after that, so that no
 * frame passes between. From Linux 6.6 on a TCX program, which stays with the interface also when that is moved to
 * another namespace; before, a tc filter. @throws SystemError
 */
export function holdProgram(place: Place, programFd: number, subject: string): void {
  const { hook, ifindex } = place;
  const own = infoOf(programFd);
  const result = programs().attach(programFd, ifindex, tcxTypes[hook], first);
  lastComplaint();
  if (result === -koffi.os.errno['EINVAL']!) {
    holdAtClsact(place, programFd, subject);
    return;
  }
  checkBpf(result, 'TCX program on', subject);
  for (const { id, name } of heldByTcx(place)) if (name === own?.name && id !== own.id) detach(place, id);
}

/** `holdProgram` for kernels before 6.6, where the interface's qdisc goes when it is moved to another namespace. */
export function holdAtClsact({ hook, ifindex }: Place, programFd: number, subject: string): void {
  const made = libbpf().hookCreate(hookOf(ifindex, clsactHooks[hook]));
  if (made < 0 && made !== -koffi.os.errno['EEXIST']!) checkBpf(made, 'clsact qdisc on', subject);
  const attached = libbpf().attach(
    hookOf(ifindex, clsactHooks[hook]),
    filter(programFd, replaceFlag, handle),
  );
  lastComplaint();
  checkBpf(attached, 'tc filter on', subject);
}

/** The program of this name at the place, null if there is none. */
export function heldProgram(place: Place, name: string): Held | null {
  const isIt = (held: Held) => held.name === name;
  return heldByTcx(place).find(isIt) ?? heldByClsact(place).find(isIt) ?? null;
}

/** Whether both have the same instructions. */
export function isSameProgram(held: Held, programFd: number): boolean {
  return held.tag === infoOf(programFd)?.tag;
}

/** Takes the programs of this name off; says whether there was one. */
export function releaseProgram(place: Place, name: string): boolean {
  let found = false;
  for (const held of heldByTcx(place))
    if (held.name === name) {
      detach(place, held.id);
      found = true;
    }
  if (heldByClsact(place).some((held) => held.name === name)) {
    libbpf().detach(hookOf(place.ifindex, clsactHooks[place.hook]), filter(0, 0, handle));
    lastComplaint();
    found = true;
  }
  return found;
}

/** The map of a held program, an array of 64-bit words, as long as `body` runs; null if it is gone. */
export function withWords<T>(held: Held, body: (map: BpfMap) => T): T | null {
  return withDescriptor(libbpf().mapFdOf(held.mapId), (fd) => body(new BpfMap(fd, held.name, 4, 8)));
}

function heldByTcx({ hook, ifindex }: Place): Held[] {
  const ids = new Uint8Array(mostPrograms * 4);
  const count = Uint8Array.of(mostPrograms, 0, 0, 0);
  const asked = programs().query(ifindex, tcxTypes[hook], 0, null, ids, count);
  lastComplaint();
  if (asked < 0) return [];
  const number = new DataView(count.buffer).getUint32(0, true);
  return Array.from({ length: number }, (_, i) => new DataView(ids.buffer).getUint32(i * 4, true)).flatMap(
    (id) => programOf(id) ?? [],
  );
}

function heldByClsact({ hook, ifindex }: Place): Held[] {
  const options = filter(0, 0, handle);
  const asked = programs().tcQuery(hookOf(ifindex, clsactHooks[hook]), options);
  lastComplaint();
  const held = asked < 0 ? null : programOf(new DataView(options.buffer).getUint32(16, true));
  return held ? [held] : [];
}

function detach({ hook, ifindex }: Place, id: number): void {
  withDescriptor(programs().programFdOf(id), (fd) => programs().detach(fd, ifindex, tcxTypes[hook]));
  lastComplaint();
}

function programOf(id: number): Held | null {
  return withDescriptor(programs().programFdOf(id), infoOf);
}

function withDescriptor<T>(fd: number, body: (fd: number) => T): T | null {
  if (fd < 0) return null;
  try {
    return body(fd);
  } finally {
    libc().close(fd);
  }
}

function infoOf(fd: number): Held | null {
  const info = new Uint8Array(80); // the first of struct bpf_prog_info
  const mapIds = new Uint8Array(4);
  const view = new DataView(info.buffer);
  view.setUint32(52, 1, true);
  view.setBigUint64(56, koffi.address(mapIds), true);
  if (programs().info(fd, info, Uint8Array.of(info.length, 0, 0, 0)) < 0) return null;
  return {
    id: view.getUint32(4, true),
    name: Buffer.from(info.subarray(64, 80)).toString().replace(/\0.*$/s, ''),
    tag: Buffer.from(info.subarray(8, 16)).toString('hex'),
    mapId: new DataView(mapIds.buffer).getUint32(0, true),
  };
}
