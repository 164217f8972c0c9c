import assert from 'node:assert/strict';
import type { FilterEntry, FilterInfo } from '../../../src/domain/filter-info.ts';
import { parseMac, type MacAddress } from '../../../src/domain/mac-address.ts';
import { parseManagerId } from '../../../src/domain/manager-id.ts';
import { parseVid, nullVid } from '../../../src/domain/vid.ts';
import { parseVsiId, type VsiId } from '../../../src/domain/vsi-id.ts';
import { BridgePort, type BridgePortOptions } from '../../../src/protocol/bridge-port.ts';
import type { EvbParameters } from '../../../src/protocol/evb/parameters.ts';
import { noHold } from '../../../src/protocol/vdp/hold.ts';
import { StationPort, type StationPortOptions } from '../../../src/protocol/station-port.ts';
import type { VsiDescription } from '../../../src/protocol/vdp/station.ts';

export const bridgeMac = parseMac('02:00:00:00:00:02');
export const stationMac = parseMac('02:00:00:00:00:01');
export const profile = { managerId: parseManagerId('dc1'), typeId: 17, typeVersion: 1 };

export const evb: EvbParameters = {
  reflectiveRelay: true,
  groupIds: false,
  timers: { retries: 3, rte: 8, rwd: 16, rka: 16 },
};

/** It lets go of a VSI whose keep-alives are lost, as the standard has it; test/unit/protocol/held.test.ts has the rest. */
export function bridgePort(options: Partial<BridgePortOptions> = {}): BridgePort {
  return new BridgePort({
    mac: bridgeMac,
    systemName: 'leaf1',
    portId: 'swp1',
    evb,
    vsiHold: noHold,
    ...options,
  });
}

/** Time goes by, and the machine is called just when it wants to be; what it said meanwhile. */
export function pass<Output>(
  machine: { tick(now: number): Output[]; deadline(): number | null },
  from: number,
  to: number,
): { at: number; output: Output }[] {
  const seen: { at: number; output: Output }[] = [];
  for (let now = from; ;) {
    const deadline = machine.deadline();
    if (deadline === null || deadline > to) return seen;
    now = Math.max(now, deadline);
    const outputs = machine.tick(now);
    assert.ok((machine.deadline() ?? Infinity) > now, 'a tick leaves nothing due');
    for (const output of outputs) seen.push({ at: now, output });
  }
}

export function stationPort(options: Partial<StationPortOptions> = {}): StationPort {
  return new StationPort({ mac: stationMac, systemName: 'host1', portId: 'eth0', evb, ...options });
}

export function vsiId(n: number): VsiId {
  return parseVsiId(`a0000000-0000-4000-8000-${n.toString(16).padStart(12, '0')}`);
}

export function vmMac(n: number): MacAddress {
  return parseMac(
    `52:54:00:00:${(n >> 8).toString(16).padStart(2, '0')}:${(n & 0xff).toString(16).padStart(2, '0')}`,
  );
}

/** VM n's NIC; VID 0 leaves the choice to the bridge. */
export function vsi(n: number, vid = 100): VsiDescription {
  return { vsiId: vsiId(n), profile, filter: filter(n, vid) };
}

export function filter(n: number, vid: number): FilterInfo {
  return { format: 'mac-vid', entries: [{ mac: vmMac(n), vid: vid === 0 ? nullVid : parseVid(vid) }] };
}

/** The bridge's choice for what was left open. */
export function filled({ format, entries }: FilterInfo, vid: number): FilterInfo {
  return {
    format,
    entries: entries.map((entry): FilterEntry =>
      entry.vid === nullVid ? { ...entry, vid: parseVid(vid) } : entry,
    ),
  };
}
