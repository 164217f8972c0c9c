import { BridgeAgent } from '../../../src/bridge/core/agent.ts';
import type { StationLink } from '../../../src/bridge/core/parts.ts';
import type { Grant } from '../../../src/domain/vsi.ts';
import type { Heed } from '../../../src/bridge/core/announcements.ts';
import { ManagerUnreachable, type Directory, type Entitlement } from '../../../src/bridge/core/directory.ts';
import type { Host } from '../../../src/bridge/core/host-vsi.ts';
import { Keyring } from '../../../src/bridge/core/signing.ts';
import { Stations, type Station } from '../../../src/bridge/core/stations.ts';
import type { StationKeys } from '../../../src/forms/station-keys.ts';
import type { MigrationReport } from '../../../src/domain/migration.ts';
import { macToBytes, parseMac, type MacAddress } from '../../../src/domain/mac-address.ts';
import { plainForwarding, type PortProfile } from '../../../src/domain/port-profile.ts';
import { parseProfileKey, profileKey, type ProfileRef } from '../../../src/domain/profile-ref.ts';
import { parseVid } from '../../../src/domain/vid.ts';
import { parseVsiId, type VsiId } from '../../../src/domain/vsi-id.ts';
import type { HypervisorEventKind } from '../../../src/hypervisors/event.ts';
import type { Clock } from '../../../src/base/clock.ts';
import { encodeFrame, nearestCustomerBridge } from '../../../src/protocol/ethernet.ts';
import { etherTypes } from '../../../src/domain/packet-numbers.ts';
import { localTlv } from '../../../src/protocol/evb/negotiation.ts';
import { encodeEvbTlv, evbOui, evbSubtype } from '../../../src/protocol/evb/ratified.ts';
import type { Hold } from '../../../src/protocol/vdp/hold.ts';
import { defaultTimers } from '../../../src/protocol/evb/timers.ts';
import { features, type Feature } from '../../../src/relay/contract/capabilities.ts';
import { encodeLldpdu } from '../../../src/protocol/lldp/packet.ts';
import { ReferenceRelay } from '../../../src/relay/reference/relay.ts';
import {
  RelayError,
  type DropSample,
  type RelayEvent,
  type RelayPort,
  type RelayState,
} from '../../../src/relay/contract/relay.ts';
import { VirtualClock } from '../../../src/base/virtual-clock.ts';
import { StationAgent } from '../../../src/station/agent.ts';
import type { Outcome } from '../../../src/station/asking.ts';

export const profile: PortProfile = {
  ref: parseProfileKey('dc1/17/1'),
  name: 'web',
  tenant: 'red',
  tagged: false,
  ...plainForwarding,
  vlan: parseVid(100),
};
export const web1: Grant = {
  vsiId: parseVsiId('fa9b7fff-b0a0-4893-8e0e-beef4ff18f8f'),
  macs: [parseMac('52:54:00:00:00:0a')],
  profile: profileKey(profile.ref),
};
export const outside = parseMac('02:00:00:00:00:99');
const linkDelay = 0.1;
const evb = { reflectiveRelay: true, groupIds: false, timers: defaultTimers };

/** The manager's database as a test has it; `away` while nobody answers. */
export class TestDirectory implements Directory {
  readonly grants = new Map<VsiId, Grant>([[web1.vsiId, web1]]);
  profile: PortProfile | undefined = profile;
  hasCopy = true;
  away = false;
  garp = false;
  /** what the manager was asked for, and when it answers */
  readonly fetched: string[] = [];
  answer: Promise<void> = Promise.resolve();

  known(vsiId: VsiId): Entitlement | null {
    const grant = this.grants.get(vsiId);
    return this.hasCopy && grant && this.profile ? { grant, profile: this.profile } : null;
  }

  kept(vsiId: VsiId): Entitlement {
    return { grant: this.grants.get(vsiId), profile: this.profile };
  }

  async fetch(vsiId: VsiId, of: ProfileRef): Promise<void> {
    this.fetched.push(`${vsiId} ${profileKey(of)}`);
    await this.answer;
    if (this.away) throw new ManagerUnreachable('nothing listens there');
  }

  owners(mac: MacAddress): Grant[] {
    return [...this.grants.values()].filter(({ macs }) => macs.includes(mac));
  }

  followsAnnouncements(): boolean {
    return this.garp;
  }
}

/** The reference relay as far as it is able, and what it was told last. */
export class TestRelay extends ReferenceRelay {
  override readonly capabilities = { relay: 'test', features: new Set<Feature>(features), rules: 1000 };
  told: RelayState | null = null;
  /** why it takes nothing at present; null: it does */
  refusal: string | null = null;
  /** why it will not have a state; null: it will */
  objects: (state: RelayState) => string | null = () => null;

  /** what left to tell the network, in ms of the virtual clock */
  readonly announced: { readonly at: number; readonly port: string | null; readonly frame: Uint8Array }[] =
    [];

  constructor(now: () => bigint) {
    super(now, ({ port, frame }) =>
      this.announced.push({ at: Math.round(Number(now()) / 1e6), port, frame }),
    );
  }

  override apply(state: RelayState): void {
    const objection = this.refusal ?? this.objects(state);
    if (objection !== null) throw new RelayError(objection);
    super.apply(state);
    this.told = state;
  }

  #agent: ((event: RelayEvent) => void) | null = null;

  /** Only the newest agent hears of it: one that is killed hears nothing more. */
  override watch(listener: (event: RelayEvent) => void): void {
    if (!this.#agent) super.watch((event) => this.#agent!(event));
    this.#agent = listener;
  }

  readonly #watchers = new Set<(drop: DropSample) => void>();

  override watchDrops(listener: (drop: DropSample) => void = () => {}): () => void {
    this.#watchers.add(listener);
    return () => this.#watchers.delete(listener);
  }

  get watchers(): number {
    return this.#watchers.size;
  }

  /** As if the relay had dropped it. */
  dropped(sample: DropSample): void {
    for (const watcher of this.#watchers) watcher(sample);
  }

  override held(): RelayState {
    return this.told ?? super.held();
  }
}

export const n1: RelayPort = { kind: 'network', nativeVlan: parseVid(100), vlans: [] };

/** A bridge with two stations on a virtual clock, with the reference relay as its data plane. */
export class TestNetwork {
  readonly time = new VirtualClock();
  readonly directory = new TestDirectory();
  readonly relay = new TestRelay(() => this.nanoseconds());
  readonly logged: string[] = [];
  readonly reports: MigrationReport[] = [];
  readonly stations: Readonly<Record<'p1' | 'p2', StationAgent>>;
  bridge: BridgeAgent;
  /** frames from a station's side towards the bridge are lost while it is false */
  listening = true;
  readonly #heed: Heed | undefined;
  readonly #hold: Hold | undefined;
  readonly #otherPorts: ReadonlyMap<string, RelayPort>;
  /** the hosts' own traffic that is declared, by station port */
  hosts: Readonly<Record<string, Host>> = {};
  /** the keys of stations, from the bridge's next start on */
  keys: StationKeys | undefined = undefined;
  /** what the bridge's agent has kept over its restart */
  #met: ReadonlyMap<string, Station> = new Map();

  /**
   * @param heed what the station ports do with announcements; absent: as the stations are, which is Hairpin's own
   * @param hold what they do with VSIs whose keep-alives are lost
   * @param others its network and mirror ports
   */
  constructor(
    heed?: Heed,
    hold?: Hold,
    others: Readonly<Record<string, RelayPort>> = { n1 },
    hosts: Readonly<Record<string, Host>> = {},
  ) {
    this.#otherPorts = new Map(Object.entries(others));
    this.hosts = hosts;
    this.#heed = heed;
    this.#hold = hold;
    this.stations = { p1: this.#station('p1', 1), p2: this.#station('p2', 2) };
    this.bridge = this.#bridge();
    this.bridge.start();
    for (const station of Object.values(this.stations)) station.linkChanged(true);
    this.pass(3000);
  }

  /** Lets time pass. */
  pass(ms: number): void {
    this.time.pass(ms);
  }

  /** Another agent takes the place of the bridge's, which was killed; without what it kept, if that is lost. */
  restartBridge({ forgets = false } = {}): void {
    if (forgets) this.#met = new Map();
    this.bridge = this.#bridge();
    this.bridge.start();
  }

  /** Tells a station of an event, and lets the answer come. */
  async happens(port: 'p1' | 'p2', kind: HypervisorEventKind): Promise<Outcome> {
    const outcome = this.stations[port].happened({
      kind,
      vm: 'web1',
      macs: web1.macs,
      at: Math.round(this.time.now() * 1000),
    });
    for (let turn = 0; turn < 10; turn++) {
      await Promise.resolve();
      this.pass(5);
    }
    return outcome;
  }

  /** Whether a frame from the VM gets from a station port to the network. */
  speaks(port: 'p1' | 'p2'): boolean {
    const emissions = this.relay.receive(port, frame(outside, web1.macs[0]!), this.nanoseconds());
    return emissions.some(({ port }) => port === 'n1');
  }

  /** The station ports by which a frame for the VM leaves. */
  hears(): string[] {
    return this.relay
      .receive('n1', frame(web1.macs[0]!, outside), this.nanoseconds())
      .map(({ port }) => port ?? 'host')
      .sort();
  }

  announces(port: 'p1' | 'p2'): void {
    const mac = macToBytes(web1.macs[0]!);
    const address = [10, 0, 0, 1];
    const request = [0, 1, 8, 0, 6, 4, 0, 1, ...mac, ...address, 0, 0, 0, 0, 0, 0, ...address];
    const bytes = Uint8Array.from([...Array<number>(6).fill(0xff), ...mac, 8, 6, ...request]);
    this.relay.receive(port, bytes, this.nanoseconds());
  }

  /** A machine beside the station of a port speaks as a station too. */
  secondStation(port: 'p1' | 'p2'): void {
    const info = encodeEvbTlv(localTlv('station', evb, null));
    const octets = encodeLldpdu({
      chassisId: { subtype: 7, id: Uint8Array.of(0x68, 0x39) },
      portId: { subtype: 7, id: Uint8Array.of(0x31) },
      ttl: 121,
      tlvs: [{ kind: 'organizational', oui: evbOui, subtype: evbSubtype, info }],
    });
    this.bridge.receive(
      port,
      encodeFrame({
        destination: nearestCustomerBridge,
        source: outside,
        etherType: etherTypes.lldp,
        payload: octets,
      }),
    );
  }

  moments(): string[] {
    return this.reports.map(({ moment }) => moment);
  }

  nanoseconds(): bigint {
    return BigInt(Math.round((this.time.now() + 1) * 1e6));
  }

  /** What is killed has no timers any more. */
  #clock(lives: () => boolean): Clock {
    return {
      now: () => this.time.now(),
      at: (time, action) => {
        let cancelled = false;
        this.time.at(time, () => cancelled || !lives() || action());
        return () => void (cancelled = true);
      },
    };
  }

  #bridge(): BridgeAgent {
    const agent: BridgeAgent = new BridgeAgent({
      name: 'sw',
      evb,
      limits: { vsis: 16, filterEntries: 4 },
      firstSequence: 1 + Math.round(this.time.now()),
      links: (['p1', 'p2'] as const).map((name) => this.#link(name, () => agent === this.bridge, this.#hold)),
      otherPorts: this.#otherPorts,
      linkOf: () => 'up',
      ageingTime: 300,
      relay: this.relay,
      directory: this.directory,
      ...(this.keys && { signing: new Keyring(1, this.keys) }),
      stations: new Stations(this.#met, (met) => void (this.#met = new Map(met))),
      clock: this.#clock(() => agent === this.bridge),
      timestamp: () => Math.round(this.time.now() * 1000),
      stampOf: (ns) => Number(ns / 1000n),
      report: (report) => this.reports.push(report),
      changed: () => {},
      log: (_, message) => void this.logged.push(message),
    });
    return agent;
  }

  #link(name: 'p1' | 'p2', lives: () => boolean, hold: Hold | undefined): StationLink {
    return {
      name,
      mac: parseMac(`02:00:00:00:01:0${name === 'p1' ? 0 : 1}`),
      egress: name === 'p2' ? { shaper: 1_000_000_000 } : {},
      announcements: this.#heed,
      ...(hold && { hold }),
      secondStation: 'down',
      host: this.hosts[name],
      send: (bytes) => {
        if (lives()) this.time.at(this.time.now() + linkDelay, () => this.stations[name].receive(bytes));
      },
    };
  }

  /** The administrator changes the bridge's ports. */
  configure({
    station,
    others,
    hold,
  }: {
    readonly station: readonly ('p1' | 'p2')[];
    readonly others: Readonly<Record<string, RelayPort>>;
    readonly hold?: Hold;
  }): void {
    const agent = this.bridge;
    this.bridge.configure({
      links: station.map((name) => this.#link(name, () => agent === this.bridge, hold)),
      otherPorts: new Map(Object.entries(others)),
      ageingTime: 300,
    });
  }

  #station(port: 'p1' | 'p2', number: number): StationAgent {
    return new StationAgent({
      name: `h${number}`,
      evb,
      firstSequence: 1,
      uplink: {
        name: 'up0',
        mac: parseMac(`02:00:00:00:02:0${number}`),
        send: (bytes) =>
          this.time.at(this.time.now() + linkDelay, () => {
            if (this.listening) this.bridge.receive(port, bytes);
          }),
      },
      clock: this.#clock(() => true),
      timestamp: () => Math.round(this.time.now() * 1000),
      vsisOf: () => [{ vsiId: web1.vsiId, macs: web1.macs, profile: profile.ref }],
      report: (report) => this.reports.push(report),
      remember: () => {},
      log: () => {},
    });
  }
}

function frame(destination: MacAddress, source: MacAddress): Uint8Array {
  return Uint8Array.from([
    ...macToBytes(destination),
    ...macToBytes(source),
    0x88,
    0xb5,
    ...Array<number>(46).fill(0),
  ]);
}
