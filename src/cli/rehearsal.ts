import { setImmediate } from 'node:timers/promises';
import { BridgeAgent } from '../bridge/core/agent.ts';
import { FileDirectory } from '../bridge/knowledge/file-directory.ts';
import { Keyring } from '../bridge/core/signing.ts';
import { parseMac } from '../domain/mac-address.ts';
import { plainForwarding, type PortProfile } from '../domain/port-profile.ts';
import { parseProfileKey, profileKey } from '../domain/profile-ref.ts';
import { parseVid } from '../domain/vid.ts';
import { parseVsiId } from '../domain/vsi-id.ts';
import type { HypervisorEventKind } from '../hypervisors/event.ts';
import { defaultTimers } from '../protocol/evb/timers.ts';
import { signingWith } from '../protocol/signed/control.ts';
import { signingKey } from '../protocol/signed/key.ts';
import { VirtualClock } from '../base/virtual-clock.ts';
import { ReferenceRelay } from '../relay/reference/relay.ts';
import { defaultAgeingTime } from '../relay/contract/relay.ts';
import { StationAgent } from '../station/agent.ts';

const profile: PortProfile = {
  ref: parseProfileKey('rehearsal/1/1'),
  name: 'rehearsal',
  tenant: 'rehearsal',
  tagged: false,
  ...plainForwarding,
  vlan: parseVid(1),
};
const vm = {
  name: 'rehearsal',
  vsiId: parseVsiId('00000000-0000-4000-8000-000000000001'),
  macs: [parseMac('02:00:00:00:00:0a')],
};
const evb = { reflectiveRelay: true, groupIds: false, timers: defaultTimers };
const secret = new Uint8Array(32);
const key = signingKey(secret);

/**
 * Plays a VM's moves between two hosts of a network that is not there, so that the first real migration finds the code of
 * an agent as later ones do: JavaScript is compiled when it first runs, and a first flip took 20 ms and more instead of less than 10.
 * Nothing of it is seen or kept. Returns how many moves the bridge flipped at the source's word, and then confirmed.
 */
export async function rehearse(moves: number): Promise<number> {
  const stage = new Stage();
  await stage.say('h1', 'started');
  for (let move = 0; move < moves; move++) {
    const [from, to] = move % 2 ? (['h2', 'h1'] as const) : (['h1', 'h2'] as const);
    await stage.say(to, 'incoming');
    await stage.say(from, 'stopped');
    await stage.say(to, 'resumed');
    await stage.say(from, 'left');
  }
  return stage.close();
}

/** A bridge and two stations on links without delay. */
class Stage {
  readonly #clock = new VirtualClock();
  readonly #bridge: BridgeAgent;
  readonly #stations: Readonly<Record<'h1' | 'h2', StationAgent>>;

  constructor() {
    const clock = this.#clock;
    const timestamp = () => Math.round(clock.now() * 1000);
    const common = { evb, clock, timestamp, report: () => {} };
    const arrive = (deliver: () => void) => void clock.at(clock.now(), deliver);
    const silent = { log: () => {}, firstSequence: 1 };
    const station = (name: 'h1' | 'h2', mac: string, port: string): StationAgent =>
      new StationAgent({
        ...common,
        ...silent,
        name,
        signing: signingWith(1, key),
        uplink: {
          name: 'uplink',
          mac: parseMac(mac),
          send: (frame) => arrive(() => this.#bridge.receive(port, frame)),
        },
        vsisOf: () => [{ ...vm, profile: profile.ref }],
        remember: () => {},
      });
    this.#stations = {
      h1: station('h1', '02:00:00:00:02:01', 'p1'),
      h2: station('h2', '02:00:00:00:02:02', 'p2'),
    };
    this.#bridge = new BridgeAgent({
      ...common,
      ...silent,
      name: 'rehearsal',
      limits: { vsis: 8, filterEntries: 8 },
      links: (['h1', 'h2'] as const).map((host, i) => ({
        name: `p${i + 1}`,
        mac: parseMac(`02:00:00:00:01:0${i + 1}`),
        egress: {},
        send: (frame) => arrive(() => this.#stations[host].receive(frame)),
      })),
      otherPorts: new Map([['n1', { kind: 'network', nativeVlan: profile.vlan, vlans: [] }]]),
      linkOf: () => 'up',
      ageingTime: defaultAgeingTime,
      relay: new ReferenceRelay(
        () => BigInt(Math.round(clock.now() * 1e6)),
        () => {},
      ),
      directory: new FileDirectory(
        [profile],
        [{ ...vm, tenant: profile.tenant, profile: profileKey(profile.ref) }],
      ),
      signing: new Keyring(1, new Map(['h1', 'h2'].map((name) => [name, [secret]]))),
      stampOf: (monotonic) => Math.round(Number(monotonic) / 1000),
      changed: () => {},
    });
    this.#bridge.start();
    for (const each of Object.values(this.#stations)) each.linkChanged(true);
    clock.pass(5_000);
  }

  /** Tells a station of the VM, and lets the frames of it pass. */
  async say(host: 'h1' | 'h2', kind: HypervisorEventKind): Promise<void> {
    const said = this.#stations[host].happened({
      kind,
      vm: vm.name,
      macs: vm.macs,
      at: Math.round(this.#clock.now() * 1000),
    });
    // what the station does is done in a few turns, frames to and from the bridge between them
    for (let turn = 0; turn < 4; turn++) {
      await setImmediate();
      this.#clock.pass(50);
    }
    if ((await Promise.race([said, setImmediate(null)])) === null) throw new Error(`${kind}: no answer`);
  }

  close(): number {
    const { confirmed } = this.#bridge.flips;
    for (const each of Object.values(this.#stations)) each.stop();
    this.#bridge.stop();
    return confirmed;
  }
}
