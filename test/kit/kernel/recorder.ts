import { fileURLToPath } from 'node:url';
import { interfaceIndex } from '../../../src/linux/net/interfaces.ts';
import { notGso, TestRun, type Gso } from '../../../src/linux/bpf/test-run.ts';
import { MappedArray } from '../../../src/linux/bpf/maps.ts';
import { BpfObject } from '../../../src/linux/bpf/object.ts';
import type { Emission } from '../../../src/relay/reference/forwarding.ts';
import type { KernelSwitch } from './relay-harness.ts';

const objectFile = fileURLToPath(new URL('../../../bpf/relay-record.bpf.o', import.meta.url));
const emissionSize = 2048; // struct emission of bpf/record.h
const mostEmissions = 128;
const frameOffset = 16;
const passed = 0; // TC_ACT_OK
const ownTag = [0x81, 0x00, 0xff, 0xff];

/**
 * The data plane of a switch, but with the program that keeps what it would send (bpf/record.h): each frame is one system
 * call, at the time that the test says.
 */
export class Recorder {
  readonly #object: BpfObject;
  readonly #run: TestRun;
  readonly #arrays: MappedArray[] = [];
  readonly #now: BigUint64Array;
  readonly #emitted: BigUint64Array;
  readonly #emissions: Uint8Array<ArrayBuffer>;
  readonly #ifindexes: ReadonlyMap<string, number>;
  readonly #names: ReadonlyMap<number, string>;

  /** To be called, as all of it, inside the switch's namespace; the switch has a relay already. */
  constructor(kernel: KernelSwitch, ports: readonly string[]) {
    this.#object = BpfObject.load(objectFile, kernel.directory);
    this.#run = new TestRun(this.#object.programFd('hp_relay'));
    this.#now = this.#array('hp_now', 8).words();
    this.#emitted = this.#array('hp_emitted', 8).words();
    this.#emissions = this.#array('hp_emissions', emissionSize * mostEmissions).bytes;
    this.#ifindexes = new Map(ports.map((port) => [port, interfaceIndex(port)]));
    this.#names = new Map(Array.from(this.#ifindexes, ([name, index]) => [index, name]));
  }

  /** What leaves, and where, when the frame enters the port. */
  receive(port: string, frame: Uint8Array, now: bigint, gso: Gso = notGso): Emission[] {
    this.#now[0] = now;
    this.#emitted[0] = 0n;
    const { action } = this.#run.run(behind(ownTag, frame), this.#ifindexes.get(port)!, { gso });
    const emissions = Array.from({ length: Number(this.#emitted[0]) }, (_, i) => this.#emission(i));
    if ((action === passed) !== emissions.some((emission) => emission.port === null))
      throw new Error(`the program returned ${action}, and ${emissions.length} frames left`);
    return emissions;
  }

  #emission(index: number): Emission {
    if (index >= mostEmissions) throw new Error('more emissions than there is room for');
    const bytes = this.#emissions.subarray(index * emissionSize, (index + 1) * emissionSize);
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    const ifindex = view.getUint32(0, true);
    const port = ifindex ? this.#names.get(ifindex) : null;
    if (port === undefined) throw new Error(`a frame to interface ${ifindex}, which is no port`);
    const untagged = bytes.subarray(frameOffset, frameOffset + view.getUint32(4, true));
    if (!view.getUint16(8, true)) return { port, frame: untagged.slice() };
    const [protocol, tci] = [view.getUint16(8, false), view.getUint16(10, true)];
    return { port, frame: behind([protocol >> 8, protocol & 0xff, tci >> 8, tci & 0xff], untagged) };
  }

  #array(name: string, length: number): MappedArray {
    const array = new MappedArray(this.#object.mapFd(name), length, name);
    this.#arrays.push(array);
    return array;
  }

  close(): void {
    for (const array of this.#arrays) array.unmap();
    this.#run.close();
    this.#object.close();
  }
}

function behind(tag: readonly number[], frame: Uint8Array): Uint8Array {
  const tagged = new Uint8Array(frame.length + 4);
  tagged.set(frame.subarray(0, 12));
  tagged.set(tag, 12);
  tagged.set(frame.subarray(12), 16);
  return tagged;
}
