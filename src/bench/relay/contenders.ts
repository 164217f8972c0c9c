import type { Policy } from '../../domain/port-profile.ts';
import { inNamespace } from '../../linux/net/namespace.ts';
import type { RelayPort } from '../../relay/contract/relay.ts';
import { addCollector, collector, makeBed, port, uplink, type Bed, type Built } from '../bed.ts';
import { Path } from '../path.ts';
import { makeBridge } from '../peers/bridge.ts';
import { Hairpin, sendingPort, stateOf, stationPort, vsisAt } from '../peers/hairpin.ts';
import { filterBridge, type NftStyle } from '../peers/nftables.ts';
import { hasOpenVswitch, OpenVswitch } from '../peers/openvswitch.ts';
import { shape } from '../peers/traffic-control.ts';
import { forbidden, policy } from '../policy.ts';
import { turnAround } from '../sink.ts';
import { frame, vm } from '../vms.ts';

/** A switch between two VMs behind one port of its own. */
export interface Contender {
  readonly name: string;
  /** null: it enforces no policy, not even whose address a frame carries */
  readonly rules: number | null;
  /** Why it cannot take part here; null if it can. */
  readonly missing: string | null;
  /** Sets it up at the bed's switch. */
  readonly build: (bed: Bed, undo: AsyncDisposableStack) => Promise<Built>;
}

const vms = [vm(0), vm(1)];
const macs = { [port]: vms.map(({ mac }) => mac) };

export const names = {
  generator: 'generator alone',
  turn: (how: string) => `empty bpf_${how}`,
  bridge: 'bridge',
  bridgeNetfilter: 'bridge, bridge-nf on',
  nft: (style: NftStyle, rules: number) => `bridge, nft ${style} of ${rules}, htb`,
  openVswitch: 'Open vSwitch, 100 rules, meters',
  hairpin: (rules: number, delivery: Delivery = 'peer') =>
    `hairpin${delivery === 'peer' ? '' : ' by port egress'}, ${rules} rules, rates, guards`,
};

/** How frames leave: straight to the veth's other end (`peerDelivery`), or through the port's own egress. */
export const deliveries = ['egress', 'peer'] as const;
export type Delivery = (typeof deliveries)[number];

export const ruleCounts = [1, 100, 1000] as const;

/** Everybody but the generator, which each is compared with. */
export function contenders(): Contender[] {
  return [
    ...(['redirect', 'redirect_peer'] as const).map((how) =>
      plain(names.turn(how), ({ switch: namespace }, undo) => {
        undo.defer(inNamespace(namespace, () => turnAround(port, how)));
      }),
    ),
    plain(names.bridge, ({ switch: namespace }) => makeBridge({ namespace, ports: macs, hairpin: true })),
    plain(names.bridgeNetfilter, ({ switch: namespace }) =>
      makeBridge({ namespace, ports: macs, hairpin: true, netfilter: true }),
    ),
    ...(['list', 'sets'] as const).flatMap((style) => ruleCounts.map((rules) => nft(style, rules))),
    openVswitch(),
    ...deliveries.flatMap((delivery) => [0, ...ruleCounts].map((rules) => hairpin(rules, delivery))),
  ];
}

function plain(name: string, set: (bed: Bed, undo: AsyncDisposableStack) => Promise<void> | void): Contender {
  return {
    name,
    rules: null,
    missing: null,
    build: async (bed, undo) => {
      await set(bed, undo);
      return {};
    },
  };
}

function nft(style: NftStyle, rules: number): Contender {
  return {
    name: names.nft(style, rules),
    rules,
    missing: null,
    build: async ({ switch: namespace }) => {
      await makeBridge({ namespace, ports: macs, hairpin: true });
      await filterBridge({ namespace, rules, style, port, vms });
      await shape(namespace, port);
      return {};
    },
  };
}

function openVswitch(): Contender {
  const rules = 100;
  return {
    name: names.openVswitch,
    rules,
    missing: hasOpenVswitch() ? null : 'Debian package openvswitch-switch is not installed',
    build: async ({ switch: namespace }, undo) => {
      const it = await OpenVswitch.start({ namespace, ports: { [port]: vms }, rules });
      undo.defer(() => it.stop());
      return { pid: it.pid };
    },
  };
}

function hairpin(rules: number, delivery: Delivery): Contender {
  const own = delivery === 'peer' ? stationPort : sendingPort;
  return {
    name: names.hairpin(rules, delivery),
    rules,
    missing: null,
    build: async ({ switch: namespace }, undo) => relayWith(namespace, { [port]: own }, policy(rules), undo),
  };
}

/** The relay with all that a profile of the offload benchmark says. */
export function mirroringHairpin(): Contender {
  const rules = 100;
  const session = 'bench';
  return {
    name: `${names.hairpin(rules)}, mirror`,
    rules,
    missing: null,
    build: async ({ switch: namespace }, undo) => {
      await addCollector(namespace, undo);
      const ports: Record<string, RelayPort> = {
        [port]: stationPort,
        [collector]: { kind: 'mirror', session },
      };
      return relayWith(namespace, ports, { ...policy(rules), mirror: { session, direction: 'both' } }, undo);
    },
  };
}

function relayWith(
  namespace: string,
  ports: Readonly<Record<string, RelayPort>>,
  of: Policy,
  undo: AsyncDisposableStack,
): Built {
  const it = undo.adopt(new Hairpin(namespace), (hairpin) => hairpin.stop());
  it.apply(
    stateOf(
      new Map(Object.entries(ports)),
      vsisAt(port, vms.length, () => of),
    ),
  );
  return {};
}

/** Frames go up the uplink and come back by it. */
export async function pathThrough(
  { name, rules, build }: Contender,
  undo: AsyncDisposableStack,
): Promise<Path> {
  const bed = await makeBed();
  const built = await build(bed, undo);
  const end = { namespace: bed.host, link: uplink };
  const path = undo.adopt(new Path({ name, from: end, to: end, ...built }), (it) => it.close());
  path.check(frame(vms[0]!, vms[1]!, 64), rules === null ? [] : forbidden(rules));
  return path;
}

/** The same frames, dropped where they enter the switch. */
export async function generatorPath(undo: AsyncDisposableStack): Promise<Path> {
  const bed = await makeBed();
  const from = { namespace: bed.host, link: uplink };
  const to = { namespace: bed.switch, link: port };
  return undo.adopt(new Path({ name: names.generator, from, to }), (it) => it.close());
}
