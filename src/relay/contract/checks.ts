import ipaddr from 'ipaddr.js';
import type { VsiId } from '../../domain/vsi-id.ts';
import { objection, type Capabilities } from './capabilities.ts';
import { limits, octets } from '../../domain/limits.ts';
import { checkName, checkNumber, checkPolicy, checkRates } from './policy-checks.ts';
import {
  RelayError,
  type Place,
  type PortName,
  type RelayPort,
  type RelayState,
  type RelayVsi,
} from './relay.ts';

/** @throws RelayError for the first thing in a state that cannot be, its VSIs and tenants apart */
export function checkBridge({ ports, networkPorts, ageingTime }: RelayState): void {
  checkPorts(ports);
  for (const [vlan, name] of networkPorts)
    if (!vlansOf(ports.get(name)).has(vlan))
      throw new RelayError(`VLAN ${vlan}: ${name} is no network port that carries it`);
  checkNumber(ageingTime, limits.ageingTime.least, limits.ageingTime.most, 'ageing time');
}

/** @throws RelayError for the first limit of a tenant that cannot be */
export function checkTenants(tenants: RelayState['tenants']): void {
  for (const [name, { rate, guaranteed }] of tenants) {
    checkName(name, 'tenant');
    checkRates(rate, `tenant ${name}: rate`);
    if (guaranteed !== null)
      checkNumber(guaranteed, limits.rate.least, limits.rate.most, `tenant ${name}: guaranteed rate`);
  }
}

function checkPorts(ports: RelayState['ports']): void {
  const sessions = new Map<string, PortName>();
  for (const [name, port] of ports) {
    if (!name || octets(name) > limits.portNameOctets || name.includes('\0'))
      throw new RelayError(`port "${name}": an interface name has 1 to ${limits.portNameOctets} octets`);
    if (port.kind !== 'mirror') {
      if (port.shaper !== undefined)
        checkNumber(port.shaper, limits.rate.least, limits.rate.most, `port ${name}: shaper`);
      if (port.shaper && port.peerDelivery)
        throw new RelayError(
          `port ${name}: a shaper queues what peer delivery lets past it; have one or the other`,
        );
      continue;
    }
    checkName(port.session, `port ${name}: mirror session`);
    const other = sessions.get(port.session);
    if (other)
      throw new RelayError(`port ${name}: mirror session "${port.session}" already has port ${other}`);
    sessions.set(port.session, name);
  }
}

const nothing: ReadonlySet<number> = new Set();
const carried = new WeakMap<RelayPort, ReadonlySet<number>>();

/** The VLANs that a port carries; kept, because a port is checked with every change of a VSI. */
function vlansOf(port: RelayPort | undefined): ReadonlySet<number> {
  if (port?.kind !== 'network') return nothing;
  const known = carried.get(port);
  if (known) return known;
  const vlans = new Set<number>(port.nativeVlan === null ? port.vlans : [port.nativeVlan, ...port.vlans]);
  carried.set(port, vlans);
  return vlans;
}

/** @throws RelayError for the first thing in one VSI that cannot be, by itself, with these ports or with such a relay */
export function checkVsi(
  id: VsiId,
  vsi: RelayVsi,
  ports: ReadonlyMap<PortName, RelayPort>,
  capabilities: Capabilities,
): void {
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
    checkNumber(wireVid, 0, 4094, `VSI ${id}: wire VID`);
  }
  if (!vsi.addresses.length || vsi.addresses.length > limits.addresses)
    fail(`${vsi.addresses.length} addresses; 1 to ${limits.addresses} are possible`);
  if (vsi.ips.length > limits.ips) fail(`${vsi.ips.length} IP addresses; at most ${limits.ips} are possible`);
  const seen = new Set<string>();
  for (const ip of vsi.ips) {
    if (!ipaddr.isValid(ip)) fail(`"${ip}" is no IP address`);
    const address = ipaddr.parse(ip).toByteArray().join();
    if (seen.has(address)) fail(`IP address ${ip} is there twice; once would be right`);
    seen.add(address);
  }
  if (octets(vsi.label) > limits.labelOctets) fail(`a label of more than ${limits.labelOctets} octets`);
  checkPolicy(vsi.policy, `VSI ${id}`);
  const tooMuch = objection(vsi.policy, capabilities);
  if (tooMuch) fail(tooMuch);
}

export function placesOf({ places: { active, armed, released } }: RelayVsi): Place[] {
  return [active, armed, released].filter((place) => place !== null);
}

/** The claims of a VSI on frames to or from its addresses; no two VSIs may have the same. */
export function* claims(vsi: RelayVsi): Generator<string> {
  yield* destinationClaims(vsi);
  yield* sourceClaims(vsi);
}

export function* destinationClaims({ addresses, policy: { vlan, trunk } }: RelayVsi): Generator<string> {
  for (const mac of addresses) for (const one of [vlan, ...trunk]) yield `${mac} in VLAN ${one}`;
}

export function* sourceClaims(vsi: RelayVsi): Generator<string> {
  for (const mac of vsi.addresses)
    for (const { port, wireVid } of placesOf(vsi))
      for (const vid of [wireVid, ...vsi.policy.trunk]) yield `${mac} at ${port}, wire VID ${vid}`;
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
