import type { VsiId } from '../../domain/vsi-id.ts';
import type { Vid } from '../../domain/vid.ts';
import { FrameSender } from '../../linux/net/frame-sender.ts';
import { waitForPrograms } from '../../linux/bpf/grace-period.ts';
import { SystemError } from '../../linux/libc.ts';
import { features, type Capabilities } from '../contract/capabilities.ts';
import { checkBridge } from '../contract/checks.ts';
import { limits } from '../../domain/limits.ts';
import {
  defaultAgeingTime,
  RelayError,
  type DropSample,
  type PortCounters,
  type PortName,
  type Relay,
  type RelayCounters,
  type RelayEvent,
  type RelayState,
  type VsiCounters,
} from '../contract/relay.ts';
import { readPortCounters, readStrangers } from './memory/counters.ts';
import { DataPlane } from './memory/data-plane.ts';
import { decodeAnnouncement, decodeDrop, type Names } from './events.ts';
import { PortTable } from './tables/port-table.ts';
import { TenantTable } from './tables/tenant-table.ts';
import { VsiTable } from './tables/vsi-table.ts';
import { Watch } from './watch.ts';

/** The relay in the kernel: an eBPF program at tc ingress of every port, in the calling thread's network namespace. */
export class EbpfRelay implements Relay {
  readonly capabilities: Capabilities = { relay: 'ebpf', features: new Set(features), rules: limits.rules };
  readonly #plane: DataPlane;
  readonly #ports: PortTable;
  readonly #vsis: VsiTable;
  readonly #tenants: TenantTable;
  readonly #announcements: Watch<RelayEvent>;
  readonly #drops: Watch<DropSample>;
  readonly #sender: FrameSender;

  /**
   * Opens the data plane that is pinned in `directory`, a directory of its own, or makes one; the program that runs
   * on held ports is replaced by this version's without losing a frame. `failed` gets what a watcher throws; `now` is the
   * data plane's clock.
   * @throws RelayError without libbpf or root, or when the pins are of another layout
   */
  static open(
    directory: string,
    failed: (error: unknown) => void,
    now: () => bigint = () => process.hrtime.bigint(),
  ): EbpfRelay {
    const plane = DataPlane.open(directory);
    try {
      return new EbpfRelay(plane, failed, now);
    } catch (error) {
      plane.close();
      throw error;
    }
  }

  private constructor(plane: DataPlane, failed: (error: unknown) => void, now: () => bigint) {
    this.#plane = plane;
    plane.watched = false; // the process before may have ended watching
    if (!plane.ageingTime) plane.ageingTime = defaultAgeingTime;
    waitForPrograms(); // numbers that the process before had retired are free after this
    this.#tenants = new TenantTable(plane, waitForPrograms);
    this.#ports = new PortTable(plane, this.#tenants.shares, waitForPrograms);
    this.#vsis = new VsiTable(plane, this.#ports, this.#tenants, waitForPrograms, now);
    const names: Names = {
      portOf: (number) => this.#ports.nameOf(number),
      vsiOf: (slot) => this.#vsis.idOf(slot),
    };
    this.#announcements = new Watch(
      (listener) => plane.announcements(listener),
      (record) => decodeAnnouncement(record, names),
      failed,
    );
    this.#drops = new Watch(
      (listener) => {
        const ring = plane.drops(listener);
        plane.watched = true;
        return ring;
      },
      (record) => decodeDrop(record, names),
      failed,
      () => {
        plane.watched = false;
      },
    );
    this.#sender = new FrameSender();
  }

  held(): RelayState {
    return {
      ports: this.#ports.held(),
      vsis: this.#vsis.held(),
      tenants: this.#tenants.held(),
      networkPorts: this.#ports.heldNetworkPorts(),
      ageingTime: this.#plane.ageingTime,
    };
  }

  apply(desired: RelayState, changed?: ReadonlySet<VsiId>): void {
    checkBridge(desired);
    const undo = new DisposableStack();
    try {
      const tenants = this.#tenants.prepare(desired.tenants, undo);
      const ports = this.#ports.prepare(desired.ports, desired.networkPorts, this.#tenants.shares, undo);
      const looked = ports.changes || tenants.concernsVsis ? undefined : changed;
      const commit = this.#vsis.prepare(
        desired.vsis,
        desired.ports,
        this.capabilities,
        { recheck: ports.removes, recount: tenants.concernsVsis },
        undo,
        looked,
      );
      undo.move(); // from here on nothing can fail
      this.#plane.ageingTime = desired.ageingTime;
      tenants.begin();
      ports.begin();
      commit();
      ports.finish();
      tenants.finish();
    } catch (error) {
      if (error instanceof SystemError) throw new RelayError(`eBPF relay: ${error.message}`);
      throw error;
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
    return new Map(this.#vsis.counters(vsiId));
  }

  tellNetwork(vlan: Vid, frame: Uint8Array): void {
    const port = this.#ports.networkPort(vlan);
    if (port) this.#sender.send(port.ifindex, port.tagged ? behindTag(vlan, frame) : frame);
  }

  rebind(port: PortName): void {
    this.#ports.rebind(port);
  }

  ruleFrames(vsi: VsiId): readonly number[] | null {
    return this.#vsis.ruleFrames(vsi);
  }

  watch(listener: (event: RelayEvent) => void): void {
    this.#announcements.add(listener);
  }

  watchDrops(listener: (drop: DropSample) => void): () => void {
    return this.#drops.add(listener);
  }

  close(): void {
    this.#letGo();
    this.#plane.close();
  }

  destroy(): void {
    this.#letGo();
    this.#ports.detach();
    this.#plane.destroy();
  }

  #letGo(): void {
    this.#announcements.close();
    this.#drops.close();
    this.#sender.close();
  }
}

function behindTag(vlan: Vid, frame: Uint8Array): Uint8Array {
  const tag = [0x81, 0x00, vlan >> 8, vlan & 0xff];
  return Uint8Array.from([...frame.subarray(0, 12), ...tag, ...frame.subarray(12)]);
}
