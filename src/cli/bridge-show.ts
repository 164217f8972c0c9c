import { callLocal } from '../api/local-socket.ts';
import { profileKey } from '../domain/profile-ref.ts';
import type { ShownBridge, ShownPort } from '../bridge/show.ts';
import { Failure } from './failure.ts';
import { table } from './output.ts';

/** What the bridge agent behind the socket says, of one port if `port` is named. @throws LocalSocketError, Failure */
export async function askBridge(socket: string, port: string | undefined): Promise<ShownBridge> {
  const bridge = (await callLocal(socket, 'show')) as ShownBridge;
  if (port === undefined) return bridge;
  const ports = bridge.ports.filter(({ name }) => name === port);
  const names = bridge.ports.map(({ name }) => name).join(', ');
  if (!ports.length) throw new Failure(`${bridge.name} has no port ${port}; it has ${names}`);
  return { ...bridge, ports };
}

/** A bridge for people: a paragraph for each port. */
export function bridgeText({ name, ports }: ShownBridge): string {
  return [`bridge ${name}`, ...ports.map(portText)].join('\n\n');
}

function portText({ name, kind, frames, station }: ShownPort): string {
  const lines = [
    `${name}  ${kind} port${station ? `, link ${station.link}` : ''}`,
    `  frames      in ${frames.in}, out ${frames.out}, dropped ${counts(frames.dropped)}`,
    ...(station ? stationLines(station) : []),
  ];
  return lines.join('\n');
}

function stationLines(station: NonNullable<ShownPort['station']>): string[] {
  const { neighbour, otherNeighbours, secondStation, evb, timers, vsis } = station;
  const { counters, lastRefusal, pending, sChannels } = station;
  const { lldp, ecp, ecpByLayer, vdp, ignored } = counters;
  const vsiTable = table(
    ['VSI', 'ASSOCIATION', 'PROFILE', 'FILTER'],
    vsis.map(({ vsiId, association, profile, filter }) => [
      vsiId,
      association,
      profileKey(profile),
      filter.entries
        .map(({ mac, vid, pcp, group }) =>
          [
            ...(group === undefined ? [] : [`group ${group}`]),
            ...(mac === undefined ? [] : [mac]),
            `vid ${vid}`,
            ...(pcp === undefined ? [] : [`pcp ${pcp}`]),
          ].join(' '),
        )
        .join(', '),
    ]),
  );
  return [
    `  neighbour   ${neighbour ? `${neighbour.systemName ?? neighbour.chassisId}, port ${neighbour.portId}, ${neighbour.mac}` : 'none'}`,
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

function counts(by: Readonly<Record<string, number>>): string {
  const list = Object.entries(by).map(([reason, count]) => `${count} ${reason}`);
  return list.length ? list.join(', ') : '0';
}

function seconds(value: number): string {
  return `${Number(value.toPrecision(4))} s`;
}
