import type { FilterInfo } from '../../../src/domain/filter-info.ts';
import { parseMac, type MacAddress } from '../../../src/domain/mac-address.ts';
import { nullVid } from '../../../src/domain/vid.ts';
import type { VsiId } from '../../../src/domain/vsi-id.ts';
import type { VdpMode } from '../../../src/protocol/vdp/association.ts';
import { asked, Peer, stationEvb } from '../protocol/peer.ts';
import { profile, TestNetwork, web1 } from './network.ts';

export const peerMacs = { p1: parseMac('02:00:00:00:03:01'), p2: parseMac('02:00:00:00:03:02') };

/** Stations whose every frame is made by the test. */
export class Peers {
  readonly network: TestNetwork;
  readonly #sequences = { p1: 0, p2: 0 };

  constructor(network = new TestNetwork()) {
    this.network = network;
    for (const station of Object.values(network.stations)) station.stop();
    network.pass(100);
    this.say('p1');
    this.say('p2');
  }

  /** LLDP, with a system name if there is one. */
  say(port: 'p1' | 'p2', name?: string): void {
    const tlvs = name === undefined ? [] : [{ kind: 'system name', text: name } as const];
    this.network.bridge.receive(port, new Peer(peerMacs[port]).lldp(stationEvb, 121, 'host', { tlvs }));
    this.network.pass(1);
  }

  /** VDP, for web1 unless it says otherwise. */
  ask(
    port: 'p1' | 'p2',
    mode: VdpMode,
    { vsiId, filter, suspended = false }: { vsiId?: VsiId; filter?: FilterInfo; suspended?: boolean } = {},
  ): void {
    const { macs } = web1;
    const request = asked(mode, {
      vsiId: vsiId ?? web1.vsiId,
      profile: profile.ref,
      filter: filter ?? withMac(macs[0]!),
      hints: { migrating: false, suspended },
    });
    const sequence = ++this.#sequences[port];
    this.network.bridge.receive(
      port,
      new Peer(peerMacs[port]).ecp(sequence, [request], undefined, profile.ref.managerId),
    );
    this.network.pass(1);
  }

  async settle(): Promise<void> {
    for (let turn = 0; turn < 10; turn++) await Promise.resolve();
    this.network.pass(1);
  }
}

export function withMac(mac: MacAddress): FilterInfo {
  return { format: 'mac-vid', entries: [{ mac, vid: nullVid }] };
}
