import { existsSync, mkdirSync, rmdirSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MissingLibrary, possibleCpus } from '../../../linux/bpf/library.ts';
import { mountBpffs, unmountBpffs } from '../../../linux/bpf/bpffs.ts';
import { RingBuffer } from '../../../linux/bpf/ring-buffer.ts';
import { BpfMap, MappedArray } from '../../../linux/bpf/maps.ts';
import { BpfObject } from '../../../linux/bpf/object.ts';
import { SystemError } from '../../../linux/libc.ts';
import { attachProgram, detachProgram, type Hook } from '../../../linux/bpf/tc-program.ts';
import { RelayError } from '../../contract/relay.ts';
import { ListMemory } from '../access-list/list-memory.ts';
import * as layout from './layout.ts';
import { Slot } from './slot.ts';

const bpffsMagic = 0xcafe4a11;
const objectFile = fileURLToPath(new URL('../../../../bpf/relay.bpf.o', import.meta.url));

/** The eBPF object and its maps (bpf/layout.h), pinned in a bpffs of their own, so that they outlive this process. */
export class DataPlane {
  readonly #directory: string;
  readonly #object: BpfObject;
  readonly #arrays: MappedArray[] = [];
  readonly #settings: BigUint64Array<ArrayBuffer>;
  /** elements of `struct port` */
  readonly ports: Uint8Array<ArrayBuffer>;
  /** elements of `struct slot`, see slot.ts */
  readonly slots: BigUint64Array<ArrayBuffer>;
  readonly members: BigUint64Array<ArrayBuffer>;
  /** of the chains of members */
  readonly nodes: BigUint64Array<ArrayBuffer>;
  /** elements of `struct profile` */
  readonly profiles: Uint8Array<ArrayBuffer>;
  /** elements of `struct tenant` */
  readonly tenants: Uint8Array<ArrayBuffer>;
  /** two for each tenant, a direction each */
  readonly tenantBuckets: BigUint64Array<ArrayBuffer>;
  /** the number of each VLAN's active network port */
  readonly networkPorts: BigUint64Array<ArrayBuffer>;
  readonly interfaces: BigUint64Array<ArrayBuffer>;
  readonly sourceHints: BigUint64Array<ArrayBuffer>;
  readonly destinationHints: BigUint64Array<ArrayBuffer>;
  readonly portOf: BpfMap;
  readonly portTallies: BpfMap;
  readonly sources: BpfMap;
  readonly destinations: BpfMap;
  readonly ips: BpfMap;
  readonly strangers: BpfMap;
  readonly learned: BpfMap;
  /** the slots that hold link-local addresses, see bpf/link-local.h */
  readonly claims: BpfMap;
  /** link-local addresses of routers outside */
  readonly routers: BpfMap;
  readonly records: BpfMap;
  readonly texts: BpfMap;
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
    this.#refuseOtherLayout();
    this.#object = BpfObject.load(objectFile, directory);
    try {
      const words = (name: string, count: number) => this.#array(name, count * 8).words();
      this.#settings = words('hp_settings', layout.settingsSize / 8);
      this.#settings[0] = layout.layoutVersion;
      this.ports = this.#array('hp_ports', layout.portCount * layout.portSize).bytes;
      this.slots = words('hp_slots', (layout.slotCount * layout.slotSize) / 8);
      this.members = words('hp_members', layout.vlanCount);
      this.nodes = words('hp_nodes', layout.nodeCount);
      this.profiles = this.#array('hp_profiles', layout.profileCount * layout.profileSize).bytes;
      this.tenants = this.#array('hp_tenants', layout.tenantCount * layout.tenantSize).bytes;
      this.tenantBuckets = words('hp_tenant_buckets', layout.tenantCount * 2);
      this.networkPorts = words('hp_network_ports', layout.vlanCount);
      this.interfaces = words('hp_interfaces', layout.interfaceCount);
      this.sourceHints = words('hp_source_hints', layout.hintCount);
      this.destinationHints = words('hp_destination_hints', layout.hintCount);
      this.portOf = this.#map('hp_port_of', 4, 4);
      this.portTallies = this.#map('hp_port_tallies', 4, layout.portTallySize * this.cpus);
      this.sources = this.#map('hp_sources', layout.sourceKeySize, 8);
      this.destinations = this.#map('hp_destinations', layout.destinationKeySize, 8);
      this.ips = this.#map('hp_ips', layout.ipKeySize, 8);
      this.strangers = this.#map('hp_strangers', layout.sourceKeySize, 16);
      this.learned = this.#map('hp_learned', layout.destinationKeySize, 8);
      this.claims = this.#map('hp_claims', layout.claimSize, 8);
      this.routers = this.#map('hp_routers', layout.claimSize, 8);
      this.records = this.#map('hp_records', 16, layout.recordSize);
      this.texts = this.#map('hp_texts', layout.textKeySize, layout.textSize);
      this.lists = new ListMemory(this.#object.mapFd('hp_lists'));
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** in s, of learned addresses; 0 before somebody has said */
  get ageingTime(): number {
    return Number(this.#settings[1]! / 1_000_000_000n);
  }

  set ageingTime(seconds: number) {
    Atomics.store(this.#settings, 1, BigInt(seconds) * 1_000_000_000n);
  }

  /** Whether samples of dropped frames are taken. */
  set watched(value: boolean) {
    Atomics.store(this.#settings, 2, BigInt(value));
  }

  slot(number: number): Slot {
    return new Slot(this.slots, number);
  }

  /** Puts the program for this hook on an interface; see `attachProgram`. */
  attach(hook: Hook, ifindex: number, name: string): boolean {
    const program = hook === 'ingress' ? 'hp_relay' : 'hp_trim';
    return attachProgram(this.#attachment(hook, ifindex), this.#object.programFd(program), name);
  }

  detach(hook: Hook, ifindex: number, withQdisc: boolean): void {
    detachProgram(this.#attachment(hook, ifindex), withQdisc);
  }

  /** What frames that entered this port have told: who is behind it, and which routers are. */
  forgetHeardAt(port: number): void {
    for (const map of [this.learned, this.routers])
      for (const key of map.keys()) {
        const word = map.get(key);
        if (word && layout.seenPort(word) === port) map.delete(key);
      }
  }

  /** The link-local addresses of the VSI in a slot are free again. */
  forgetClaimsOf(number: number): void {
    const slot = this.slot(number);
    for (const key of slot.claims()) {
      const holder = this.claims.get(key);
      if (holder && layout.fromU64(holder) === BigInt(number)) this.claims.delete(key);
    }
    slot.forgetClaims();
  }

  announcements(listener: (record: Uint8Array) => void): RingBuffer {
    return new RingBuffer(this.#object.mapFd('hp_announcements'), listener);
  }

  drops(listener: (record: Uint8Array) => void): RingBuffer {
    return new RingBuffer(this.#object.mapFd('hp_drops'), listener);
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

  #attachment(hook: Hook, ifindex: number) {
    return { hook, ifindex, pin: join(this.#directory, `${hook}-${ifindex}`) };
  }

  /** Before maps of another shape make the load fail with words that nobody understands. */
  #refuseOtherLayout(): void {
    const held = this.#heldLayout();
    if (held === null || held === 0n || held === layout.layoutVersion) return;
    throw new RelayError(
      `eBPF relay in ${this.#directory}: its maps have layout ${held}, this program layout ${layout.layoutVersion}; run "hairpin" of that version, or remove the relay first`,
    );
  }

  /** Null where nothing is pinned yet. */
  #heldLayout(): bigint | null {
    if (existsSync(join(this.#directory, 'hp_layout'))) return 1n;
    const settings = MappedArray.ofPin(join(this.#directory, 'hp_settings'), layout.settingsSize);
    const held = settings?.words()[0] ?? null;
    settings?.unmap();
    return held;
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
