import { join } from 'node:path';
import type { RelayPort, PortCounters, Stranger, VsiCounters } from '../../../src/relay/contract/relay.ts';
import { readPortCounters, readStrangers } from '../../../src/relay/ebpf/memory/counters.ts';
import { DataPlane } from '../../../src/relay/ebpf/memory/data-plane.ts';
import { portCount, PortEntry, unpackVsi } from '../../../src/relay/ebpf/memory/layout.ts';
import { readPolicy } from '../../../src/relay/ebpf/tables/profile-table.ts';
import { decodeRecord } from '../../../src/relay/ebpf/memory/record.ts';
import { vsiIdToBytes, type VsiId } from '../../../src/domain/vsi-id.ts';
import type { Policy } from '../../../src/domain/port-profile.ts';
import type { KernelLab } from '../../../src/lab/kernel-lab.ts';
import { bridgeName } from '../../../src/lab/scenario.ts';

/** A VSI as the kernel holds it. */
export interface VsiView {
  readonly policy: Policy;
  /** the port where it is active, and what was counted of it there; null while it is active nowhere */
  readonly active: string | null;
  readonly counters: VsiCounters | null;
  readonly armed: string | null;
}

/**
 * What a lab's kernel holds and has counted, read from the pinned maps beside the agent, whose word is not taken for
 * it. It only reads: a second relay would mend what the agent is about to change.
 */
export class KernelView {
  readonly #plane: DataPlane;

  constructor(lab: KernelLab) {
    this.#plane = DataPlane.open(join(lab.directory, bridgeName, 'bpf'));
  }

  close(): void {
    this.#plane.close();
  }

  port(name: string): RelayPort {
    return this.#port(name).port;
  }

  counters(port: string): PortCounters {
    return readPortCounters(this.#plane, this.#port(port).number);
  }

  strangers(): Stranger[] {
    return readStrangers(this.#plane, (number) => this.#nameOf(number));
  }

  /** Null for a VSI that the kernel does not know. */
  vsi(id: VsiId): VsiView | null {
    const record = this.#plane.records.get(vsiIdToBytes(id));
    if (!record) return null;
    const { slot } = decodeRecord(record);
    const { active, armed, profile } = unpackVsi(this.#plane.slot(slot).word);
    if (!active && !armed) return null;
    return {
      policy: readPolicy(this.#plane, profile),
      active: active && this.#nameOf(active.port),
      counters: active && this.#plane.slot(slot).counters(active.tally),
      armed: armed && this.#nameOf(armed.port),
    };
  }

  #nameOf(number: number): string | null {
    const entry = new PortEntry(this.#plane.ports, number);
    return entry.used ? entry.decode()[0] : null;
  }

  #port(name: string): { number: number; port: RelayPort } {
    for (let number = 1; number < portCount; number++) {
      const entry = new PortEntry(this.#plane.ports, number);
      if (!entry.used) continue;
      const [found, port] = entry.decode();
      if (found === name) return { number, port };
    }
    throw new Error(`the kernel has no port ${name}`);
  }
}
