import koffi from 'koffi';
import { check } from './libc.ts';

const call = process.arch === 'x64' ? 321 : 280; // bpf(2)
const testRun = 10;
const attributeLength = 80;
const contextLength = 192; // struct __sk_buff
const ifindexAt = 40;

type Bpf = (number: number, command: number, attribute: Uint8Array, length: number) => number;
let bpf: Bpf | undefined;

/**
 * Runs a tc program on a frame that enters an interface of this thread's namespace, `repeat` times in the kernel
 * (BPF_PROG_TEST_RUN). Nothing is sent but the clones that the program makes. @throws SystemError
 */
export function nanosecondsPerRun(
  programFd: number,
  ifindex: number,
  frame: Uint8Array,
  repeat: number,
): number {
  bpf ??= koffi
    .load('libc.so.6')
    .func(
      'long syscall(long number, int command, _Inout_ void *attribute, unsigned int length)',
    ) as unknown as Bpf;
  const memory = Uint8Array.from([...frame, ...new Uint8Array(contextLength)]);
  const address = koffi.address(memory);
  new DataView(memory.buffer).setUint32(frame.length + ifindexAt, ifindex, true);
  const attribute = new Uint8Array(attributeLength);
  const view = new DataView(attribute.buffer);
  view.setUint32(0, programFd, true);
  view.setUint32(8, frame.length, true);
  view.setBigUint64(16, address, true);
  view.setUint32(32, repeat, true);
  view.setUint32(40, contextLength, true);
  view.setBigUint64(48, address + BigInt(frame.length), true);
  check(bpf(call, testRun, attribute, attributeLength), 'test run of eBPF program', String(programFd));
  return view.getUint32(36, true);
}
