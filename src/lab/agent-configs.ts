import { existsSync } from 'node:fs';
import { join } from 'node:path';
import {
  bridgeName,
  hosts,
  mirrorPort,
  mirrorSession,
  networkPort,
  profiles,
  red,
  uplink,
} from './scenario.ts';

/** Where a lab's files are, below its directory. */
export function filesOf(directory: string) {
  return {
    config: (agent: string) => join(directory, `${agent}.yaml`),
    managerSocket: join(directory, 'manager.sock'),
    database: join(directory, 'manager.db'),
    bridgeState: join(directory, bridgeName),
    control: (host: string) => join(directory, `${host}.sock`),
    monitors: (host: string) => join(directory, `${host}-monitors`),
    key: (host: string) => join(directory, `${host}.key`),
    stationKeys: join(directory, 'station-keys.yaml'),
  };
}
export type LabFiles = ReturnType<typeof filesOf>;

/** The configuration files of the lab's agents, as an administrator would write them (JSON is YAML). */
export function managerConfig(files: LabFiles, listen: string) {
  return {
    database: files.database,
    listen: [listen, `unix:${files.managerSocket}`],
    stationKeys: files.stationKeys,
  };
}

export function bridgeConfig(files: LabFiles) {
  const vlans = profiles.map(({ vlan }) => vlan).filter((vlan) => vlan !== red.vlan);
  return {
    name: bridgeName,
    manager: `unix:${files.managerSocket}`,
    stateDirectory: files.bridgeState,
    ports: {
      ...Object.fromEntries(hosts.map(({ port }) => [port, { kind: 'station' }])),
      [networkPort]: { kind: 'network', nativeVlan: red.vlan, vlans },
      [mirrorPort]: { kind: 'mirror', session: mirrorSession },
    },
  };
}

export function stationConfig(files: LabFiles, host: string) {
  return {
    name: host,
    uplink,
    manager: `unix:${files.managerSocket}`,
    control: files.control(host),
    // a station whose key is taken away does not sign from its next start on
    ...(existsSync(files.key(host)) && { key: files.key(host) }),
    qemu: { directory: files.monitors(host), suffix: '.ev' },
  };
}
