import { waitForPrograms, type RingBuffer } from '../../linux/libbpf.ts';
import { onReadable } from '../../linux/readable.ts';
import { macFromBytes } from '../../domain/mac-address.ts';
import type { Vid } from '../../domain/vid.ts';
import type { VsiId } from '../../domain/vsi-id.ts';
import type { Capabilities } from '../capabilities.ts';
import { checkBridge } from '../checks.ts';
import { limits } from '../limits.ts';
import {
  defaultAgeingTime,
  dropReasons,
  type PortCounters,
  type PortName,
  type Relay,
  type RelayCounters,
  type RelayEvent,
  type RelayState,
  type VsiCounters,
} from '../relay.ts';
import { readPortCounters, readStrangers, readVsiCounters } from './counters.ts';
import { DataPlane } from './data-plane.ts';
import { PortTable } from './port-table.ts';
import { VsiTable } from './vsi-table.ts';

/** The relay in the kernel: an eBPF program at tc ingress of every port, in the calling thread's network namespace. */
export class EbpfRelay implements Relay {
  readonly capabilities: Capabilities = { relay: 'ebpf', features: new Set(['mirror']), rules: limits.rules };
  readonly #plane: DataPlane;
  readonly #ports: PortTable;
  readonly #vsis: VsiTable;
  readonly #listeners = new Set<(event: RelayEvent) => void>();
  readonly #failed: (error: unknown) => void;
  #ring: RingBuffer | null = null;
  #stop: (() => void) | null = null;

  /**
   * Opens the data plane that is pinned in `directory`, a directory of its own, or makes one; the program that runs
   * on held ports is replaced by this version's without losing a frame. `failed` gets what a watcher throws.
   * @throws RelayError without libbpf or root, or when the pins are of another layout
   */
  static open(directory: string, failed: (error: unknown) => void): EbpfRelay {
    const plane = DataPlane.open(directory);
    try {
      return new EbpfRelay(plane, failed);
    } catch (error) {
      plane.close();
      throw error;
    }
  }

  private constructor(plane: DataPlane, failed: (error: unknown) => void) {
    this.#plane = plane;
    this.#failed = failed;
    waitForPrograms(); // numbers that the process before had retired are free after this
    this.#ports = new PortTable(plane, waitForPrograms);
    this.#vsis = new VsiTable(plane, this.#ports, waitForPrograms);
  }

  held(): RelayState {
    return {
      ports: this.#ports.held(),
      vsis: this.#vsis.held(),
      tenants: new Map(),
      ageingTime: defaultAgeingTime,
    };
  }

  ruleFrames(vsi: VsiId): readonly number[] | null {
    return this.#vsis.ruleFrames(vsi);
  }

  watchDrops(): () => void {
    return () => {};
  }

  apply(desired: RelayState, changed?: ReadonlySet<VsiId>): void {
    checkBridge(desired);
    const undo = new DisposableStack();
    try {
      const ports = this.#ports.prepare(desired.ports, undo);
      const looked = ports.changes ? undefined : changed;
      const commit = this.#vsis.prepare(
        desired.vsis,
        desired.ports,
        this.capabilities,
        ports.removes,
        undo,
        looked,
      );
      undo.move(); // from here on nothing can fail
      ports.begin();
      commit();
      ports.finish();
    } finally {
      undo.dispose();
    }
  }

  counters(): RelayCounters {
    return {
      ports: this.portCounters(),
      vsis: new Map(Array.from(this.#vsis.ids(), (id) => [id, this.countersOf(id)])),
      strangers: readStrangers(this.#plane, (number) => this.#ports.nameOf(number)),
    };
  }

  portCounters(): Map<PortName, PortCounters> {
    return new Map(
      Array.from(this.#ports.numbered(), ([name, number]) => [name, readPortCounters(this.#plane, number)]),
    );
  }

  countersOf(vsiId: VsiId): Map<PortName, VsiCounters> {
    return new Map(
      Array.from(this.#vsis.tallies(vsiId), ([port, index]) => [port, readVsiCounters(this.#plane, index)]),
    );
  }

  rebind(port: PortName): void {
    this.#ports.rebind(port);
  }

  watch(listener: (event: RelayEvent) => void): void {
    this.#listeners.add(listener);
    if (this.#ring) return;
    this.#ring = this.#plane.announcements((record) => this.#announce(record));
    const ring = this.#ring;
    this.#stop = onReadable(ring.fd, () => ring.consume(), this.#failed);
  }

  close(): void {
    this.#stopWatching();
    this.#plane.close();
  }

  destroy(): void {
    this.#stopWatching();
    this.#ports.detach();
    this.#plane.destroy();
  }

  #stopWatching(): void {
    this.#stop?.();
    this.#ring?.close();
    this.#stop = this.#ring = null;
    this.#listeners.clear();
  }

  /** One struct announcement of bpf/layout.h. Runs inside libbpf, which no exception may cross. */
  #announce(record: Uint8Array): void {
    try {
      const view = new DataView(record.buffer, record.byteOffset);
      const port = this.#ports.nameOf(view.getUint32(8, true));
      const reason = dropReasons[view.getUint8(20)];
      if (!port || (reason !== 'unassociated' && reason !== 'armed' && reason !== 'moved')) return;
      const event: RelayEvent = {
        kind: 'announcement',
        port,
        mac: macFromBytes(record, 14),
        wireVid: view.getUint16(12, true) as Vid,
        reason,
        at: view.getBigUint64(0, true),
      };
      for (const listener of this.#listeners) listener(event);
    } catch (error) {
      this.#failed(error);
    }
  }
}
