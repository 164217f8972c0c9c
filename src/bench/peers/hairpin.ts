import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Policy } from '../../domain/port-profile.ts';
import { nullVid } from '../../domain/vid.ts';
import { parseVsiId, type VsiId } from '../../domain/vsi-id.ts';
import type { Endpoint } from '../../lab/stream/frames.ts';
import { inNamespace } from '../../linux/net/namespace.ts';
import { EbpfRelay } from '../../relay/ebpf/relay.ts';
import { activeNetworkPorts } from '../../bridge/core/network-ports.ts';
import {
  defaultAgeingTime,
  type RelayPort,
  type RelayState,
  type RelayVsi,
} from '../../relay/contract/relay.ts';
import { vm } from '../vms.ts';

/** The relay in a namespace, without agent: what the agent would tell it is told it here. */
export class Hairpin {
  readonly #namespace: string;
  readonly #directory = mkdtempSync(join(tmpdir(), 'hp-bench-'));
  readonly #relay: EbpfRelay;

  /** @throws RelayError */
  constructor(namespace: string) {
    this.#namespace = namespace;
    this.#relay = inNamespace(namespace, () =>
      EbpfRelay.open(this.pins, (error) => {
        throw error;
      }),
    );
  }

  /** Where its maps are pinned. */
  get pins(): string {
    return join(this.#directory, 'pins');
  }

  apply(state: RelayState): void {
    inNamespace(this.#namespace, () => this.#relay.apply(state));
  }

  stop(): void {
    inNamespace(this.#namespace, () => this.#relay.destroy());
    rmSync(this.#directory, { recursive: true });
  }
}

/** Straight to the veth's other end, or through the port's own egress. */
export const stationPort: RelayPort = { kind: 'station', reflectiveRelay: true, peerDelivery: true };
export const sendingPort: RelayPort = { kind: 'station', reflectiveRelay: true };

/** These ports and VSIs, and no limit for any tenant. */
export function stateOf(ports: RelayState['ports'], vsis: RelayState['vsis']): RelayState {
  return {
    ports,
    vsis,
    tenants: new Map(),
    networkPorts: activeNetworkPorts(ports, () => true),
    ageingTime: defaultAgeingTime,
  };
}

/** The first `count` VMs behind one port; of each, its policy. */
export function vsisAt(port: string, count: number, policyOf: (i: number) => Policy): Map<VsiId, RelayVsi> {
  return new Map(
    Array.from({ length: count }, (_, i) => [idOf(i), vsiOf(vm(i), port, policyOf(i))] as const),
  );
}

function idOf(i: number): VsiId {
  return parseVsiId(`00000000-0000-4000-8000-${i.toString(16).padStart(12, '0')}`);
}

function vsiOf({ mac, address }: Endpoint, port: string, policy: Policy): RelayVsi {
  return {
    addresses: [mac],
    ips: [address],
    policy,
    places: { active: { port, wireVid: nullVid }, armed: null, released: null },
    label: '',
  };
}
