import koffi from 'koffi';
import { Failure } from '../base/failure.ts';

/** A system call that failed: its name, what it was about, and the symbolic error ("ENODEV"). */
export class SystemError extends Failure {
  override name = 'SystemError';
  readonly code: string;

  constructor(call: string, subject: string, errno: number) {
    const code = errorName(errno);
    super(`${call} ${subject}: ${meaning[code] ?? code}`);
    this.code = code;
  }
}

const meaning: Record<string, string> = {
  EPERM: 'not permitted; root is needed',
  EACCES: 'not permitted; root is needed',
  ENODEV: 'no such network interface',
  ENOENT: 'no such file',
  ENETDOWN: 'the interface is down',
};

function errorName(errno: number): string {
  for (const [name, value] of Object.entries(koffi.os.errno)) if (value === errno) return name;
  return `errno ${errno}`;
}

type Call = (...args: never[]) => number;

/** The functions of libc that Hairpin calls. Loaded at first use, so that the simulated lab runs off Linux. */
function load() {
  const lib = koffi.load('libc.so.6');
  // oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the prototype is C's, the type is ours
  const declare = <F extends Call>(prototype: string) => lib.func(prototype) as unknown as F;
  return {
    socket: declare<(family: number, type: number, protocol: number) => number>(
      'int socket(int family, int type, int protocol)',
    ),
    bind: declare<(fd: number, address: Uint8Array, length: number) => number>(
      'int bind(int fd, const void *address, uint32_t length)',
    ),
    connect: declare<(fd: number, address: Uint8Array, length: number) => number>(
      'int connect(int fd, const void *address, uint32_t length)',
    ),
    setsockopt: declare<
      (fd: number, level: number, option: number, value: Uint8Array, length: number) => number
    >('int setsockopt(int fd, int level, int option, const void *value, uint32_t length)'),
    getsockopt: declare<
      (fd: number, level: number, option: number, value: Uint8Array, length: Uint8Array) => number
    >('int getsockopt(int fd, int level, int option, _Out_ void *value, _Inout_ void *length)'),
    send: declare<(fd: number, bytes: Uint8Array, length: number, flags: number) => number>(
      'intptr_t send(int fd, const void *bytes, size_t length, int flags)',
    ),
    sendto: declare<
      (
        fd: number,
        bytes: Uint8Array,
        length: number,
        flags: number,
        address: Uint8Array,
        addressLength: number,
      ) => number
    >(
      'intptr_t sendto(int fd, const void *bytes, size_t length, int flags, const void *address, uint32_t addressLength)',
    ),
    recv: declare<(fd: number, bytes: Uint8Array, length: number, flags: number) => number>(
      'intptr_t recv(int fd, _Out_ void *bytes, size_t length, int flags)',
    ),
    recvmmsg: declare<(fd: number, headers: bigint, count: number, flags: number, timeout: null) => number>(
      'int recvmmsg(int fd, void *headers, unsigned int count, int flags, void *timeout)',
    ),
    sendmmsg: declare<(fd: number, headers: bigint, count: number, flags: number) => number>(
      'int sendmmsg(int fd, void *headers, unsigned int count, int flags)',
    ),
    ioctl: declare<(fd: number, request: number, argument: Uint8Array) => number>(
      'int ioctl(int fd, unsigned long request, _Inout_ void *argument)',
    ),
    open: declare<(path: string, flags: number) => number>('int open(const char *path, int flags)'),
    close: declare<(fd: number) => number>('int close(int fd)'),
    setns: declare<(fd: number, type: number) => number>('int setns(int fd, int type)'),
    if_nametoindex: declare<(name: string) => number>('unsigned int if_nametoindex(const char *name)'),
    mount: declare<
      (source: string, target: string, type: string, flags: number, data: string | null) => number
    >(
      'int mount(const char *source, const char *target, const char *type, unsigned long flags, const char *data)',
    ),
    umount2: declare<(target: string, flags: number) => number>('int umount2(const char *target, int flags)'),
    sched_yield: declare<() => number>('int sched_yield()'),
    clock_gettime: declare<(clock: number, time: Uint8Array) => number>(
      'int clock_gettime(int clock, _Out_ void *time)',
    ),
  };
}

let loaded: ReturnType<typeof load> | undefined;

/** libc's functions; a negative return is for `check`. */
export function libc(): ReturnType<typeof load> {
  return (loaded ??= load());
}

/** Passes a system call's result on. @throws SystemError when it is negative */
export function check(result: number, call: string, subject: string): number {
  if (result < 0) throw new SystemError(call, subject, koffi.errno());
  return result;
}
