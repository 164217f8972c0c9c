import type { FilterEntry, FilterInfo } from '../../../src/domain/filter-info.ts';
import { parseMac, type MacAddress } from '../../../src/domain/mac-address.ts';
import { parseManagerId } from '../../../src/domain/manager-id.ts';
import { parseVid, nullVid } from '../../../src/domain/vid.ts';
import { parseVsiId, type VsiId } from '../../../src/domain/vsi-id.ts';
import { BridgePort, type BridgePortOptions } from '../../../src/protocol/bridge-port.ts';
import type { EvbParameters } from '../../../src/protocol/evb/parameters.ts';
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

export function bridgePort(options: Partial<BridgePortOptions> = {}): BridgePort {
  return new BridgePort({ mac: bridgeMac, systemName: 'leaf1', portId: 'swp1', evb, ...options });
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
