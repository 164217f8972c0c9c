import ipaddr from 'ipaddr.js';
import type { AccessRule, IpPrefix, Policy } from '../domain/port-profile.ts';
import type { VsiId } from '../domain/vsi-id.ts';
import {
  RelayError,
  type Place,
  type PortName,
  type RelayPort,
  type RelayState,
  type RelayVsi,
} from './relay.ts';

/** What every driver holds at least, and no driver more of: a state that one accepts, all accept. */
export const limits = {
  rules: 64,
  addresses: 64,
  labelOctets: 255,
  sessionOctets: 63,
  portNameOctets: 15,
  networkPorts: 16,
} as const;

const octets = (text: string) => Buffer.byteLength(text);

/** @throws RelayError for the first thing in the ports alone that cannot be */
export function checkPorts(ports: RelayState['ports']): void {
  const sessions = new Map<string, PortName>();
  let networks = 0;
  for (const [name, port] of ports) {
    if (!name || octets(name) > limits.portNameOctets || name.includes('\0'))
      throw new RelayError(`port "${name}": an interface name has 1 to ${limits.portNameOctets} octets`);
    if (port.kind === 'network' && ++networks > limits.networkPorts)
      throw new RelayError(`port ${name}: at most ${limits.networkPorts} network ports`);
    if (port.kind !== 'mirror') continue;
    checkSession(port.session, `port ${name}`);
    const other = sessions.get(port.session);
    if (other)
      throw new RelayError(`port ${name}: mirror session "${port.session}" already has port ${other}`);
    sessions.set(port.session, name);
  }
}

/** @throws RelayError for the first thing in one VSI that cannot be, by itself or with these ports */
export function checkVsi(id: VsiId, vsi: RelayVsi, ports: ReadonlyMap<PortName, RelayPort>): void {
  const fail = (what: string) => {
    throw new RelayError(`VSI ${id}: ${what}`);
  };
  const places = placesOf(vsi);
  if (!places.length) fail('it has no place; leave it out instead');
  if (new Set(places.map((place) => place.port)).size < places.length)
    fail('two of its places are on one port; each is on another');
  for (const { port, wireVid } of places) {
    const kind = ports.get(port)?.kind;
    if (kind !== 'station')
      fail(`${port} is ${kind ? `a ${kind} port` : 'no port'}; a place needs a station port`);
    if (!Number.isInteger(wireVid) || wireVid < 0 || wireVid > 4094)
      fail(`wire VID ${wireVid}; it is 0 to 4094`);
  }
  if (!vsi.addresses.length || vsi.addresses.length > limits.addresses)
    fail(`${vsi.addresses.length} addresses; 1 to ${limits.addresses} are possible`);
  if (octets(vsi.label) > limits.labelOctets) fail(`a label of more than ${limits.labelOctets} octets`);
  checkPolicy(vsi.policy, `VSI ${id}`);
}

export function placesOf({ places: { active, armed, released } }: RelayVsi): Place[] {
  return [active, armed, released].filter((place) => place !== null);
}

/** The claim of a VSI on frames of one address, to or from it; no two VSIs may have the same. */
export function* claims(vsi: RelayVsi): Generator<string> {
  for (const mac of vsi.addresses) {
    yield `${mac} in VLAN ${vsi.policy.vlan}`;
    for (const { port, wireVid } of placesOf(vsi)) yield `${mac} at ${port}, wire VID ${wireVid}`;
  }
}

function checkPolicy(policy: Policy, where: string): void {
  for (const [direction, rate] of Object.entries(policy.rate)) {
    if (!Number.isSafeInteger(rate.max) || rate.max < 8000)
      throw new RelayError(`${where}: rate ${direction}: max ${rate.max}; it is 8000 bit/s or more`);
    if (!Number.isSafeInteger(rate.burst) || rate.burst < 1 || rate.burst > 2 ** 32)
      throw new RelayError(`${where}: rate ${direction}: burst ${rate.burst}; it is 1 octet to 4 GiB`);
  }
  if (policy.accessList.rules.length > limits.rules)
    throw new RelayError(`${where}: ${policy.accessList.rules.length} rules; ${limits.rules} are possible`);
  policy.accessList.rules.forEach((rule, i) => checkRule(rule, `${where}: rule ${i + 1}`));
  if (policy.mirror) checkSession(policy.mirror.session, `${where}: mirror`);
}

function checkRule(rule: AccessRule, where: string): void {
  for (const field of ['source', 'destination'] as const) {
    const prefix = rule[field];
    if (prefix && 'address' in prefix && !isPrefix(prefix))
      throw new RelayError(`${where}: ${field} ${prefix.address}/${prefix.length} is no IP prefix`);
  }
}

function isPrefix({ address, length }: IpPrefix): boolean {
  if (!ipaddr.isValid(address) || !Number.isInteger(length) || length < 0) return false;
  return length <= (ipaddr.parse(address).kind() === 'ipv4' ? 32 : 128);
}

function checkSession(session: string, where: string): void {
  if (!session || octets(session) > limits.sessionOctets || session.includes('\0'))
    throw new RelayError(`${where}: a mirror session's name has 1 to ${limits.sessionOctets} octets`);
}

/** @throws RelayError when two VSIs claim the same frames */
export function checkClaims(vsis: RelayState['vsis']): void {
  const owners = new Map<string, VsiId>();
  for (const [id, vsi] of vsis)
    for (const claim of claims(vsi)) {
      const owner = owners.get(claim);
      if (owner)
        throw new RelayError(`VSI ${id}: ${claim} belongs to ${owner === id ? 'it already' : owner}`);
      owners.set(claim, id);
    }
}
