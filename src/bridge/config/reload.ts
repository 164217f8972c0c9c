import { isDeepStrictEqual } from 'node:util';
import { Invalid } from '../../base/invalid.ts';
import type { RelayPort } from '../../relay/contract/relay.ts';
import type { BridgeConfig } from './config.ts';

type PortConfig = BridgeConfig['ports'][string];

/** What may change while the agent runs; all else is what it was started with. */
const changeable: readonly string[] = ['ports', 'ageingTime', 'tenants', 'profiles', 'vsis'];
/** The same of a port; another kind is another port. */
const changeableOfPort: readonly string[] = [
  'kind',
  'shaper',
  'peerDelivery',
  'announcements',
  'secondStation',
  'hold',
  'placeHold',
  'nativeVlan',
  'vlans',
  'session',
  'host',
  'hostVlan',
  'hostProtocols',
];

/** @throws Invalid if the file says otherwise what cannot change while the agent runs */
export function refuseWhatIsFixed(before: BridgeConfig, after: BridgeConfig): void {
  const changed = [
    ...changedKeys(before, after).filter((key) => !changeable.includes(key)),
    ...Object.entries(after.ports).flatMap(([name, port]) =>
      isSamePort(before.ports[name], port)
        ? changedKeys(before.ports[name]!, port)
            .filter((key) => !changeableOfPort.includes(key))
            .map((key) => `ports.${name}.${key}`)
        : [],
    ),
  ];
  if (changed.length)
    throw new Invalid(`${changed.join(', ')}: cannot change while the agent runs; a restart would be right`);
}

function changedKeys(before: object, after: object): string[] {
  const [old, now] = [new Map(Object.entries(before)), new Map(Object.entries(after))];
  const keys = new Set([...old.keys(), ...now.keys()]);
  return [...keys].filter((key) => !isDeepStrictEqual(old.get(key), now.get(key)));
}

function isSamePort(before: PortConfig | undefined, after: PortConfig): boolean {
  return before?.kind === after.kind;
}

export interface PortChanges {
  /** closed, then opened: a port of another kind is in both */
  readonly removed: readonly string[];
  readonly added: ReadonlyMap<string, RelayPort['kind']>;
  readonly changed: readonly string[];
}

export function portChanges(before: BridgeConfig['ports'], after: BridgeConfig['ports']): PortChanges {
  const removed = Object.keys(before).filter((name) => before[name]!.kind !== after[name]?.kind);
  const added = new Map<string, RelayPort['kind']>();
  const changed: string[] = [];
  for (const [name, port] of Object.entries(after))
    if (!isSamePort(before[name], port)) added.set(name, port.kind);
    else if (!isDeepStrictEqual(before[name], port)) changed.push(name);
  return { removed, added, changed };
}
