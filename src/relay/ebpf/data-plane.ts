import { existsSync, mkdirSync, rmdirSync, statfsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import {
  attachIngress,
  BpfMap,
  BpfObject,
  MappedArray,
  MissingLibrary,
  mountBpffs,
  possibleCpus,
  RingBuffer,
  unmountBpffs,
} from '../../linux/libbpf.ts';
import { SystemError } from '../../linux/libc.ts';
import { RelayError } from '../relay.ts';
import { ListMemory } from './access-list/list-memory.ts';
import * as layout from './layout.ts';
import { profileSize } from './profile.ts';

const bpffsMagic = 0xcafe4a11;
const objectFile = fileURLToPath(new URL('../../../bpf/relay.bpf.o', import.meta.url));

/** The eBPF object and its maps (bpf/layout.h), pinned in a bpffs of their own, so that they outlive this process. */
export class DataPlane {
  readonly #directory: string;
  readonly #object: BpfObject;
  readonly #arrays: MappedArray[] = [];
  /** elements of `struct port` */
  readonly ports: Uint8Array<ArrayBuffer>;
  readonly vsis: BigUint64Array<ArrayBuffer>;
  readonly members: BigUint64Array<ArrayBuffer>;
  readonly next: BigUint64Array<ArrayBuffer>;
  readonly macs: BigUint64Array<ArrayBuffer>;
  /** elements of `struct profile` */
  readonly profiles: Uint8Array<ArrayBuffer>;
  readonly buckets: BigUint64Array<ArrayBuffer>;
  /** elements of `struct tally`, four for each slot */
  readonly tallies: Uint8Array<ArrayBuffer>;
  readonly portOf: BpfMap;
  readonly portTallies: BpfMap;
  readonly sources: BpfMap;
  readonly destinations: BpfMap;
  readonly strangers: BpfMap;
  readonly records: BpfMap;
  readonly lists: ListMemory;
  readonly cpus = possibleCpus();

  /**
   * Loads the program; the maps are made, or taken over from a process before.
   * @throws RelayError without libbpf, without root, or when the pins are of another layout
   */
  static open(directory: string): DataPlane {
    const existed = existsSync(directory);
    const mounted = existed && statfsSync(directory).type === bpffsMagic;
    try {
      if (!existed) mkdirSync(directory, { recursive: true });
      if (!mounted) mountBpffs(directory);
      return new DataPlane(directory);
    } catch (error) {
      if (!mounted) removeMount(directory, !existed);
      if (error instanceof SystemError || error instanceof MissingLibrary)
        throw new RelayError(`eBPF relay in ${directory}: ${error.message}`);
      throw error;
    }
  }

  private constructor(directory: string) {
    this.#directory = directory;
    this.#object = BpfObject.load(objectFile, directory);
    try {
      const words = (name: string, count: number) => this.#array(name, count * 8).words();
      const held = words('hp_layout', 1);
      if (held[0] !== 0n && held[0] !== layout.layoutVersion)
        throw new RelayError(
          `eBPF relay in ${directory}: its maps have layout ${held[0]}, this program layout ${layout.layoutVersion}; run "hairpin" of that version, or remove the relay first`,
        );
      held[0] = layout.layoutVersion;
      this.ports = this.#array('hp_ports', layout.portCount * layout.portSize).bytes;
      this.vsis = words('hp_vsis', layout.slotCount);
      this.members = words('hp_members', layout.vlanCount);
      this.next = words('hp_next', layout.slotCount);
      this.macs = words('hp_macs', layout.slotCount);
      this.profiles = this.#array('hp_profiles', layout.profileCount * profileSize).bytes;
      this.buckets = words('hp_buckets', layout.slotCount * 2);
      this.tallies = this.#array('hp_tallies', layout.slotCount * 4 * layout.tallySize).bytes;
      this.portOf = this.#map('hp_port_of', 4, 4);
      this.portTallies = this.#map('hp_port_tallies', 4, layout.portTallySize * this.cpus);
      this.sources = this.#map('hp_sources', layout.sourceKeySize, 8);
      this.destinations = this.#map('hp_destinations', layout.destinationKeySize, 8);
      this.strangers = this.#map('hp_strangers', layout.sourceKeySize, 16);
      this.records = this.#map('hp_records', 16, layout.recordSize);
      this.lists = new ListMemory(this.#object.mapFd('hp_lists'));
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Puts the program on an interface; see `attachIngress`. */
  attach(ifindex: number, name: string): boolean {
    return attachIngress(ifindex, this.#object.programFd('hp_relay'), name);
  }

  announcements(listener: (record: Uint8Array) => void): RingBuffer {
    return new RingBuffer(this.#object.mapFd('hp_announcements'), listener);
  }

  /** Lets go of maps and program; what is pinned and attached stays. */
  close(): void {
    for (const array of this.#arrays) array.unmap();
    this.lists?.close();
    this.#object.close();
  }

  /** Also removes the pins and their mount. */
  destroy(): void {
    this.close();
    removeMount(this.#directory, true);
  }

  #array(name: string, length: number): MappedArray {
    const array = new MappedArray(this.#object.mapFd(name), length, name);
    this.#arrays.push(array);
    return array;
  }

  #map(name: string, keySize: number, valueSize: number): BpfMap {
    return new BpfMap(this.#object.mapFd(name), name, keySize, valueSize);
  }
}

/** The pins go with the mount; the directory goes if it is empty. */
function removeMount(directory: string, withDirectory: boolean): void {
  try {
    if (statfsSync(directory).type === bpffsMagic) unmountBpffs(directory);
    if (withDirectory) rmdirSync(directory);
  } catch (error) {
    if (!['ENOTEMPTY', 'ENOENT', 'EBUSY'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  }
}
