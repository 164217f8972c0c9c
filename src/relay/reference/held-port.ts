import { hostProtocols, type HostProtocol, type RelayPort } from '../contract/relay.ts';
import { announcementBucket } from './announcements.ts';
import { PortTally } from './tally.ts';
import type { TokenBucket } from './token-bucket.ts';

/** A port with what it keeps of its former self, if that was of the same kind. */
export class HeldPort {
  readonly port: RelayPort;
  readonly tally: PortTally;
  readonly announcements: TokenBucket;

  constructor(port: RelayPort, before?: HeldPort) {
    const self = before?.port.kind === port.kind ? before : null;
    this.port = inOrder(port);
    this.tally = self?.tally ?? new PortTally();
    this.announcements = self?.announcements ?? announcementBucket();
  }

  carries(vlan: number): boolean {
    const { port } = this;
    return (
      port.kind === 'network' && (port.nativeVlan === vlan || port.vlans.some((carried) => carried === vlan))
    );
  }

  /** The VID of the tag with which frames of a VLAN that this network port carries leave by it; 0: no tag. */
  vidOf(vlan: number): number {
    const { port } = this;
    return port.kind === 'network' && port.nativeVlan === vlan ? 0 : vlan;
  }
}

function inOrder(port: RelayPort): RelayPort {
  if (port.kind !== 'network') return port;
  const { host } = port;
  const protocols = (Object.keys(hostProtocols) as HostProtocol[]).filter((one) =>
    host?.protocols.includes(one),
  );
  return {
    ...port,
    vlans: port.vlans.toSorted((a, b) => a - b),
    ...(host && { host: { ...host, protocols } }),
  };
}
