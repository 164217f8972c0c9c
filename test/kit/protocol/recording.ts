import { dialectNames, type DialectName } from '../../../src/domain/dialect.ts';
import type { FilterInfo } from '../../../src/domain/filter-info.ts';
import { parseProfileKey } from '../../../src/domain/profile-ref.ts';
import { parseVid } from '../../../src/domain/vid.ts';
import type { BridgePort, BridgePortOutput } from '../../../src/protocol/bridge-port.ts';
import { nearestBridge } from '../../../src/protocol/ethernet.ts';
import { cdcpOui, cdcpSubtype, encodeCdcpTlv } from '../../../src/protocol/evb/cdcp.ts';
import { managementIp } from '../../../src/protocol/lldp/management.ts';
import { signingWith } from '../../../src/protocol/signed/control.ts';
import { keyLength, signingKey } from '../../../src/protocol/signed/key.ts';
import type { StationPort, StationPortOutput } from '../../../src/protocol/station-port.ts';
import { vdpErrorCodes, type VdpErrorCode, type VdpMode } from '../../../src/protocol/vdp/association.ts';
import type { Verdict } from '../../../src/protocol/vdp/bridge.ts';
import type { VsiDescription } from '../../../src/protocol/vdp/station.ts';
import { bridgePort, evb, filled, stationMac, stationPort, vmMac, vsi } from './fixtures.ts';
import { Peer, stationEvb } from './peer.ts';
import { writePcap, type TimedFrame } from './pcap.ts';
import { Chance, End, SimulatedLink } from './simulated-link.ts';
import { VirtualClock } from '../../../src/base/virtual-clock.ts';

/** A manager id that both dialects can say. */
const profile = parseProfileKey('0x0c/17/1');
const accept: Verdict = { kind: 'accept' };
const managementAddresses = ['192.0.2.7', '2001:db8::7'].map(managementIp);

/** Our bridge and our station at a link that is good, and every frame on it. */
class Recording {
  readonly frames: TimedFrame[] = [];
  readonly #clock = new VirtualClock();
  readonly #bridge: End<BridgePortOutput, BridgePort>;
  readonly #station: End<StationPortOutput, StationPort>;
  #verdict: Verdict = accept;

  /** `isSigned`: both have the key of the recordings */
  constructor(dialect: DialectName, isSigned = false) {
    const link = new SimulatedLink(this.#clock, new Chance(1));
    const options = { evb: { ...evb, groupIds: true, dialects: [dialect] }, managementAddresses };
    const signed = (epoch: number) => (isSigned ? { ...options, signing: signingOf(epoch) } : options);
    this.#bridge = new End(link, bridgePort(signed(1)), (output) => this.#decide(output));
    this.#station = new End(link, stationPort(signed(2)), () => {});
    const recorded = (to: (frame: Uint8Array) => void) => (frame: Uint8Array) => {
      this.frames.push({ at: this.#clock.now(), octets: frame });
      to(frame);
    };
    this.#bridge.deliver = recorded((frame) => this.#station.do((m, now) => m.receive(frame, now)));
    this.#station.deliver = recorded((frame) => this.#bridge.do((m, now) => m.receive(frame, now)));
    for (const end of [this.#bridge, this.#station])
      end.do((m: BridgePort | StationPort, now) => m.linkUp(now) as []);
    this.pass(5_000);
  }

  pass(ms: number): void {
    this.#clock.pass(ms);
  }

  ask(description: VsiDescription, mode: VdpMode, verdict: Verdict = accept): void {
    this.#verdict = verdict;
    this.#station.do((machine, now) => machine.request({ ...description, profile }, mode, now));
    this.pass(20);
  }

  /** By the bridge's own decision. */
  deassociate(description: VsiDescription): void {
    this.#bridge.do((machine, now) => machine.deassociate(description.vsiId, now));
    this.pass(20);
  }

  goodbye(): void {
    this.#station.do((machine, now) => machine.shutdown(now));
    this.#bridge.do((machine, now) => machine.shutdown(now));
    this.pass(20);
  }

  #decide(output: Exclude<BridgePortOutput, { kind: 'send' }>): void {
    if (output.kind !== 'request') return;
    const { token, filter } = output;
    const verdict =
      this.#verdict.kind === 'accept' ? { ...accept, filter: filled(filter, 42) } : this.#verdict;
    this.#bridge.do((machine, now) => machine.answer(token, verdict, now));
  }
}

/** Of the recordings that are signed. */
export const recordedKey = new Uint8Array(keyLength).fill(0x5a);

const signingOf = (epoch: number) => signingWith(epoch, signingKey(recordedKey));

/** Requests and answers of each kind, a renewal, what the bridge does of its own, and good-byes, with signatures. */
function signed(dialect: DialectName): readonly TimedFrame[] {
  const recording = new Recording(dialect, true);
  for (const mode of ['pre-associate', 'pre-associate-rr', 'associate', 'de-associate'] as const)
    recording.ask(vsi(1, 0), mode);
  recording.ask(vsi(2), 'associate');
  const refusal = {
    kind: 'refuse',
    code: 'insufficient resources',
    keep: false,
    reason: 'recorded',
  } as const;
  recording.ask(vsi(3), 'associate', refusal);
  recording.pass(dialect === 'draft' ? 11_000 : 700);
  recording.deassociate(vsi(2));
  recording.goodbye();
  return recording.frames;
}

const [mac, vid] = [vmMac(9), parseVid(300)];
const formats: readonly FilterInfo[] = [
  { format: 'vid', entries: [{ vid }] },
  {
    format: 'mac-vid',
    entries: [
      { mac, vid, pcp: 5 },
      { mac: vmMac(10), vid },
    ],
  },
  { format: 'group-vid', entries: [{ group: 77_777, vid }] },
  { format: 'group-mac-vid', entries: [{ group: 77_777, mac, vid }] },
];

/** Up and down the states of an association, every refusal, what each side does of its own, and several TLVs at once. */
function everything(dialect: DialectName): readonly TimedFrame[] {
  const recording = new Recording(dialect);
  for (const mode of ['pre-associate', 'pre-associate-rr', 'associate', 'de-associate'] as const)
    recording.ask(vsi(1, 0), mode);
  recording.ask({ ...vsi(2), hints: { migrating: true, suspended: false } }, 'pre-associate-rr');
  recording.ask({ ...vsi(3), hints: { migrating: false, suspended: true } }, 'associate');
  formats.forEach((filter, i) => recording.ask({ ...vsi(4 + i), filter }, 'associate'));
  for (const code of vdpErrorCodes.slice(1) as VdpErrorCode[])
    for (const keep of [false, true]) {
      if (keep) recording.ask(vsi(20), 'pre-associate');
      recording.ask(vsi(20), 'associate', { kind: 'refuse', code, keep, hard: !keep, reason: 'recorded' });
    }
  recording.pass(dialect === 'draft' ? 11_000 : 700);
  recording.deassociate(vsi(3));
  recording.goodbye();
  return recording.frames;
}

/** Our bridge's answer to a station that asks for S-channels; and LLDP with much that nobody here sends. */
function lldp(): readonly TimedFrame[] {
  const bridge = bridgePort({ managementAddresses });
  const station = new Peer(stationMac);
  const channels = [1, 2].map((scid) => ({ scid, svid: scid === 1 ? 1 : 0 }));
  const info = encodeCdcpTlv({ role: 'station', sComponent: true, capacity: 8, channels });
  const tlvs = [
    { kind: 'port description', text: 'uplink' },
    { kind: 'organizational', oui: cdcpOui, subtype: cdcpSubtype, info },
    { kind: 'organizational', oui: 0x123456, subtype: 7, info: Uint8Array.of(1, 2, 3) },
  ] as const;
  const asks = station.lldp(stationEvb, 121, 'host1', { tlvs });
  const nearest = station.lldp(null, 121, 'host1', { destination: nearestBridge });
  bridge.linkUp(0);
  const answers = [...bridge.receive(asks, 1), ...bridge.receive(nearest, 2)];
  const sent = answers.flatMap((output) => (output.kind === 'send' ? [output.frame] : []));
  return [asks, nearest, ...sent].map((octets, at) => ({ at, octets }));
}

/** What test/fixtures/hairpin holds, by name. `node test/fixtures/hairpin/record.ts` makes it anew. */
export const recordings: Readonly<Record<string, () => Uint8Array>> = {
  ...Object.fromEntries(dialectNames.map((dialect) => [dialect, () => writePcap(everything(dialect))])),
  ...Object.fromEntries(
    dialectNames.map((dialect) => [`${dialect}-signed`, () => writePcap(signed(dialect))]),
  ),
  lldp: () => writePcap(lldp()),
};
