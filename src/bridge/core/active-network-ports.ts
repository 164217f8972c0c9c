import { isDeepStrictEqual } from 'node:util';
import type { PortName, RelayState } from '../../relay/contract/relay.ts';
import type { ConfiguredPorts } from './configured-ports.ts';
import { rarp } from './network-frames.ts';
import type { NetworkNews } from './network-news.ts';
import { activeNetworkPorts, takenOver } from './network-ports.ts';
import type { BridgeAgentParts } from './parts.ts';

export interface ActiveNetworkPortsParts extends Pick<BridgeAgentParts, 'relay' | 'log'> {
  readonly ports: Pick<ConfiguredPorts, 'others' | 'hosts'>;
  readonly isUp: (port: PortName) => boolean;
  readonly news: Pick<NetworkNews, 'tookOver'>;
  /** puts what has changed into the data plane, now or later */
  readonly owe: (what: string) => void;
}

/** Which network port is active in each VLAN, and what the network is told when that changes. */
export class ActiveNetworkPorts {
  readonly #parts: ActiveNetworkPortsParts;
  byVlan: RelayState['networkPorts'] = new Map();

  constructor(parts: ActiveNetworkPortsParts) {
    this.#parts = parts;
  }

  /** Chooses anew, and leaves it to the caller to put that into the data plane. */
  choose(isUp = this.#parts.isUp, before = this.byVlan): void {
    this.byVlan = activeNetworkPorts(this.#parts.ports.others, isUp, before);
  }

  /** The link of a network port has changed: another one takes over from one whose link is down. */
  linkChanged(): void {
    const before = this.byVlan;
    this.choose();
    if (isDeepStrictEqual(this.byVlan, before)) {
      this.byVlan = before;
      return;
    }
    this.#parts.owe('active network ports');
    this.tellTakeOver(before);
  }

  /** The network behind a port that has taken over VLANs is told of all VSIs in them. */
  tellTakeOver(before: RelayState['networkPorts']): void {
    const { ports, relay, news, log } = this.#parts;
    for (const [name, vlans] of takenOver(before, this.byVlan)) {
      log('info', `${name} is the active network port of VLAN ${vlans.join(', ')} now`);
      news.tookOver(new Set(vlans));
      for (const { host } of ports.hosts.values())
        if (vlans.includes(host.vlan)) for (const mac of host.macs) relay.tellNetwork(host.vlan, rarp(mac));
    }
  }
}
