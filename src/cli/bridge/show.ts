import { callLocal } from '../../local/socket-client.ts';
import { profileKey } from '../../domain/profile-ref.ts';
import type { VsiId } from '../../domain/vsi-id.ts';
import type {
  CountedVsi,
  Dropped,
  ShownBridge,
  ShownHost,
  ShownPort,
  ShownTenant,
  ShownVsi,
} from '../../bridge/control/show.ts';
import { Failure } from '../../base/failure.ts';
import { table, tenantHeading } from '../output.ts';

/** What the bridge agent behind the socket says, of one port if `port` is named. @throws LocalSocketError, Failure */
export async function askBridge(socket: string, port: string | undefined): Promise<ShownBridge> {
  const bridge = (await callLocal(socket, 'show')) as ShownBridge;
  if (port === undefined) return bridge;
  const ports = bridge.ports.filter(({ name }) => name === port);
  const names = bridge.ports.map(({ name }) => name).join(', ');
  if (!ports.length) throw new Failure(`${bridge.name} has no port ${port}; it has ${names}`, 2);
  const vsis = bridge.vsis.flatMap((vsi) => {
    const places = vsi.places.filter((place) => place.port === port);
    return places.length ? [{ ...vsi, places }] : [];
  });
  return { ...bridge, ports, vsis, hosts: bridge.hosts.filter((host) => host.port === port) };
}

/** A bridge for people: a paragraph for each port, then what is counted of VSIs and what limits tenants. */
export function bridgeText({
  name,
  owed,
  ports,
  vsis,
  hosts,
  tenants,
  learned,
  refused,
  flips,
  announced,
}: ShownBridge): string {
  const vms = new Map(vsis.map(({ vsiId, vm }) => [vsiId, vm]));
  return [
    [
      `bridge ${name}`,
      ...(learned === null ? [] : [`${learned} learned addresses`]),
      ...(owed === null ? [] : [`whose data plane refuses ${owed}`]),
    ].join(', '),
    ...refused.map(({ what, reason }) => `not in force: ${what}: ${reason}`),
    ...ports.map((port) => portText(port, vms)),
    ...(vsis.length ? [vsisText(vsis)] : []),
    ...(hosts.length ? [hostsText(hosts)] : []),
    `flips before the station's word: ${flips.flipped}, ${flips.confirmed} confirmed, ${flips.undone} undone, ${flips.provisional} provisional\n` +
      `told the network: ${announced.sent} frames, ${announced.waiting} VSIs wait, ${announced.restless} moved too often`,
    ...(tenants.length ? [tenantsText(tenants)] : []),
  ].join('\n\n');
}

function vsisText(vsis: readonly CountedVsi[]): string {
  return table(
    ['VSI', 'VM', 'TENANT', 'VLAN', 'PORT', '', 'FROM VM', 'octets', 'TO VM', 'octets', 'DROPPED'],
    vsis.flatMap(({ vsiId, vm, tenant, vlan, trunk, places, provisional }) =>
      places.map(({ port, role, fromVm, toVm, dropped }) => [
        vsiId,
        vm ?? '-',
        tenant,
        [vlan, ...trunk].join(','),
        port,
        role === 'active' && provisional ? 'active for now' : role,
        fromVm.frames,
        fromVm.octets,
        toVm.frames,
        toVm.octets,
        counts(dropped),
      ]),
    ),
  );
}

function tenantsText(tenants: readonly ShownTenant[]): string {
  return table(
    tenantHeading,
    tenants.map(({ name, rate, guaranteed }) => [
      name,
      rate.fromVm?.max ?? '-',
      rate.toVm?.max ?? '-',
      guaranteed ?? '-',
    ]),
  );
}

type Vms = ReadonlyMap<VsiId, string | null>;

function portText({ name, kind, link, mtu, frames, network, station }: ShownPort, vms: Vms): string {
  const lines = [
    `${name}  ${kind} port, ${linkText[link]}${mtu === null ? '' : `, MTU ${mtu}`}`,
    `  frames      in ${frames.in}, out ${frames.out}, dropped ${counts(frames.dropped)}`,
    ...(network ? networkLines(network) : []),
    ...(station ? stationLines(station, vms) : []),
  ];
  return lines.join('\n');
}

function networkLines({ active, standby }: NonNullable<ShownPort['network']>): string[] {
  return [
    ...(active.length ? [`  active      in VLAN ${ranges(active)}`] : []),
    ...(standby.length ? [`  stands by   in VLAN ${ranges(standby)}`] : []),
  ];
}

/** "1-3,10" */
function ranges(vlans: readonly number[]): string {
  const runs: [number, number][] = [];
  for (const vlan of vlans.toSorted((a, b) => a - b)) {
    const last = runs.at(-1);
    if (last?.[1] === vlan - 1) last[1] = vlan;
    else runs.push([vlan, vlan]);
  }
  return runs.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(',');
}

function hostsText(hosts: readonly ShownHost[]): string {
  return table(
    ['HOST AT', 'ADDRESSES', 'VLAN', 'FROM HOST', 'octets', 'TO HOST', 'octets', 'DROPPED'],
    hosts.map(({ port, macs, vlan, tagged, fromVm, toVm, dropped }) => [
      port,
      macs.join(','),
      tagged ? `${vlan} tagged` : vlan,
      fromVm.frames,
      fromVm.octets,
      toVm.frames,
      toVm.octets,
      counts(dropped),
    ]),
  );
}

const linkText = {
  up: 'link up',
  down: 'link down',
  missing: 'no such interface',
  unbound: 'its interface cannot be bound',
} as const satisfies Record<ShownPort['link'], string>;

function stationLines(station: NonNullable<ShownPort['station']>, vms: Vms): string[] {
  const { neighbour, otherNeighbours, secondStation, evb, timers, vsis } = station;
  const { counters, lastRefusal, pending, sChannels } = station;
  const { lldp, ecp, ecpByLayer, vdp, ignored } = counters;
  const vsiTable = table(
    ['VSI', 'VM', 'ASSOCIATION', 'FOR', 'PLACE', 'PROFILE', 'FILTER'],
    vsis.map(({ vsiId, association, age, held, place, profile, filter }) => [
      vsiId,
      vms.get(vsiId) ?? '-',
      held === null ? association : `${association}, held for ${duration(held)}`,
      duration(age),
      place ?? '-',
      profileKey(profile),
      filterText(filter),
    ]),
  );
  return [
    `  neighbour   ${neighbour ? `${neighbour.systemName ?? neighbour.chassisId}, port ${neighbour.portId}, ${neighbour.mac}` : 'none'}`,
    ...trustLines(station),
    ...(neighbour?.systemDescription ? [`              ${neighbour.systemDescription}`] : []),
    ...(neighbour?.managementAddresses.length
      ? [`              managed at ${neighbour.managementAddresses.join(', ')}`]
      : []),
    ...otherNeighbours.map(
      (other) =>
        `  ${other.agent}  ${other.systemName ?? other.chassisId}, port ${other.portId}, ${other.mac}`,
    ),
    ...(secondStation
      ? [
          `  2nd station ${secondStation.ago} s ago: ${secondStation.systemName ?? 'without a name'}, ${secondStation.mac}: ${secondStation.portDown ? 'the port is disabled until its link was down' : 'ignored'}`,
        ]
      : []),
    `  EVB         ${evb.negotiated ? `negotiated, ${evb.dialect}` : 'not negotiated'}; reflective relay ${evb.reflectiveRelay ? 'on' : 'off'}, group ids ${evb.groupIds ? 'on' : 'off'}`,
    ...(sChannels.length
      ? [`  S-channels  ${sChannels.map(({ scid, svid }) => `${scid} on S-VLAN ${svid}`).join(', ')}`]
      : []),
    `  timers      ${seconds(timers.acknowledgement)} acknowledgement, ${timers.retries} repeats; ${seconds(timers.resourceWait)} resource wait; ${seconds(timers.keepAlive)} keep-alive, supervised for ${seconds(timers.keepAliveSupervision)}`,
    `  LLDP        sent ${lldp.sent}, received ${lldp.received}; ignored frames ${counts(ignored)}`,
    `  ECP         sent ${ecp.txFrameCount}, repeated ${ecp.txRetryCount}, failed ${ecp.txFailures}; received ${ecp.rxFrameCount}, repeats ${ecp.rxRepeatCount}`,
    ...Object.entries(ecpByLayer)
      .filter(([name, { rxFrameCount, txFrameCount }]) => name !== 'vdp' && rxFrameCount + txFrameCount > 0)
      .map(
        ([name, layer]) =>
          `              of these ${name}: sent ${layer.txFrameCount}, received ${layer.rxFrameCount}`,
      ),
    `  VDP         succeeded ${vdp.commandsSucceeded}, failed ${vdp.commandsFailed}, reverted ${vdp.commandReverts}, pending ${pending}`,
    ...(lastRefusal
      ? [
          `  refused     ${lastRefusal.ago} s ago: ${lastRefusal.mode} of ${lastRefusal.vsiId ?? 'an unreadable VSI'}: ${lastRefusal.code}: ${lastRefusal.reason}`,
        ]
      : []),
    ...(vsis.length ? vsiTable.split('\n').map((line) => `  ${line}`) : ['  no VSI']),
  ];
}

function trustLines({ trust, holder, heldFor }: NonNullable<ShownPort['station']>): string[] {
  if (trust === null) return [];
  const why = {
    signed: 'signed: what it says has a signature, and nothing without one counts',
    pinned:
      'pinned: a signature was verified here, and nothing without one counts ("hairpin bridge unpin" ends that)',
    'first use': 'first use: it does not sign; it was here first',
  }[trust];
  const place =
    heldFor !== null && heldFor > 0 && holder
      ? [`              the port waits ${heldFor} s more for ${holder.name ?? holder.mac}`]
      : [];
  return [`  trust       ${why}`, ...place];
}

const mostEntries = 2;

function filterText({ entries }: ShownVsi['filter']): string {
  const text = entries
    .slice(0, mostEntries)
    .map(({ mac, vid, pcp, group }) =>
      [
        ...(group === undefined ? [] : [`group ${group}`]),
        ...(mac === undefined ? [] : [mac]),
        `vid ${vid}`,
        ...(pcp === undefined ? [] : [`pcp ${pcp}`]),
      ].join(' '),
    );
  const more = entries.length - mostEntries;
  return [...text, ...(more > 0 ? [`${more} more`] : [])].join(', ');
}

function counts(by: Dropped): string {
  const list = Object.entries(by).map(([reason, count]) => `${count} ${reason}`);
  return list.length ? list.join(', ') : '0';
}

/** "42 s", "17 min", "5 h", "12 d" */
function duration(seconds: number): string {
  for (const [unit, size] of [
    ['d', 86_400],
    ['h', 3_600],
    ['min', 60],
  ] as const)
    if (seconds >= 2 * size) return `${Math.floor(seconds / size)} ${unit}`;
  return `${seconds} s`;
}

function seconds(value: number): string {
  return `${Number(value.toPrecision(4))} s`;
}
