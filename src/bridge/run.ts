import { randomInt } from 'node:crypto';
import { mkdirSync, readdirSync, rmdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Logger } from 'pino';
import { refuseIfServed } from '../api/local-socket.ts';
import { Invalid } from '../domain/invalid.ts';
import type { MacAddress } from '../domain/mac-address.ts';
import { fromMonotonic, monotonicMs, now, systemClock } from '../linux/clock.ts';
import { monitorLinks } from '../linux/link-monitor.ts';
import { hasMountsOfItsOwn } from '../linux/namespace.ts';
import { evbParameters } from '../protocol/evb/parameters.ts';
import { managementIp } from '../protocol/lldp/management.ts';
import { EbpfRelay } from '../relay/ebpf/relay.ts';
import type { PortEgress, PortName, RelayPort } from '../relay/relay.ts';
import { BridgeAgent, noAddress } from './agent.ts';
import { controlPath, holdOf, type BridgeConfig } from './config.ts';
import { serveControl } from './control.ts';
import { managed } from './managed.ts';
import { checkRouteToManager } from './manager-route.ts';
import { Ports } from './ports.ts';
import type { Source } from './source.ts';
import { rememberedStations } from './station-file.ts';
import { standalone } from './standalone.ts';

/**
 * Runs a bridge agent in this process's network namespace until `close`; the data plane goes on after that.
 * @throws RelayError, SystemError, ApiError, LocalSocketError: one line, and nothing was changed
 */
export async function runBridge(config: BridgeConfig, logger: Logger): Promise<{ close(): Promise<void> }> {
  const stationPorts = Object.entries(config.ports).flatMap(([name, port]) =>
    port.kind === 'station' ? [{ name, ...port }] : [],
  );
  const failed = (error: unknown) => logger.error({ err: error }, 'unexpected');
  const log = (level: 'info' | 'warn', message: string) => logger[level](message);
  await refuseIfServed(controlPath(config)); // before the data plane is touched: it may be another agent's
  using cleanup = new DisposableStack();
  if (config.manager !== undefined)
    await checkRouteToManager(config.manager, config.ports, (message) => log('warn', message));
  if (makeStateDirectory(config.stateDirectory)) cleanup.defer(() => removeIfEmpty(config.stateDirectory));
  const source = sourceOf(config, logger);
  const memory = rememberedStations(
    config.stateDirectory,
    stationPorts.map(({ name }) => name),
    (message) => logger.warn(message),
  );
  const ports = new Ports({ rebind: (name) => relay.rebind(name), failed, log });
  cleanup.defer(() => ports.close());
  // before the interfaces are looked at, so that no change falls in between
  cleanup.defer(monitorLinks((change) => ports.changed(change), failed));
  for (const [name, { kind }] of Object.entries(config.ports)) ports.add(name, kind);
  const relay = EbpfRelay.open(join(config.stateDirectory, 'bpf'), failed);
  const isNew = relay.held().ports.size === 0;
  if (hasMountsOfItsOwn())
    logger.warn(
      'the data plane will end with this agent: its pins are mounted in a mount namespace of its own, as "ip netns exec" ' +
        'or a sandbox of systemd makes one; "nsenter --net=/run/netns/NAME" makes none',
    );
  let started = false;
  // an agent that cannot start leaves no data plane behind that was not there before
  cleanup.defer(() => (started || !isNew ? relay.close() : relay.destroy()));
  const agent = new BridgeAgent({
    name: config.name,
    evb: evbParameters(config.evb),
    limits: { vsis: config.limits.vsisPerPort, filterEntries: config.limits.filterEntries },
    otherNeighbours: config.limits.otherNeighbours,
    announcementsPerSecond: config.limits.announcementsPerSecond,
    ...(config.managementAddresses.length && {
      managementAddresses: config.managementAddresses.map(managementIp),
    }),
    firstSequence: randomInt(1, 65_536),
    links: stationPorts.map(({ name, secondStation, announcements, hold, host, ...egress }) => ({
      name,
      mac: ports.macOf(name),
      egress: egressOf(egress),
      secondStation,
      announcements,
      hold: holdOf(hold),
      host,
      drain: () => ports.drain(name),
      send: (frame) => ports.send(name, frame), // a port that is down drops it, and ECP tries again
    })),
    otherPorts: otherPorts(config, (name) => ports.macOf(name)),
    linkOf: (name) => ports.linkOf(name),
    ageingTime: config.ageingTime,
    relay,
    directory: source.directory,
    stations: memory.stations,
    clock: systemClock,
    timestamp: now,
    stampOf: fromMonotonic,
    report: (report) => source.report(report),
    changed: (vsiId) => source.changed(vsiId),
    log,
  });
  const control = await serveControl(controlPath(config), {
    name: config.name,
    agent,
    relay,
    directory: source.directory,
    now: monotonicMs,
    stampOf: fromMonotonic,
  });
  cleanup.defer(() => control.close());
  cleanup.defer(() => memory.close());
  cleanup.defer(() => agent.stop());
  agent.start();
  source.follow(agent, relay);
  ports.start(agent);
  started = true;
  const running = cleanup.move();
  return {
    async close() {
      agent.stop();
      await source.close(); // its last words still ask the relay
      running.dispose();
    },
  };
}

/** True if it was not there before. */
function makeStateDirectory(path: string): boolean {
  try {
    return makeDirectory(path);
  } catch (error) {
    throw new Invalid(`stateDirectory: ${path} cannot be made (${(error as NodeJS.ErrnoException).code})`);
  }
}

/** With those above it. Node.js's own way to do that never ends where nothing can be made (/proc). */
function makeDirectory(path: string): boolean {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) return false;
  makeDirectory(dirname(path));
  mkdirSync(path, { mode: 0o700 });
  return true;
}

/** A bridge that could not start leaves nothing behind. */
function removeIfEmpty(directory: string): void {
  if (readdirSync(directory).length === 0) rmdirSync(directory);
}

function sourceOf(config: BridgeConfig, logger: Logger): Source {
  const { manager, tenants = [], profiles = [], vsis = [] } = config;
  return manager === undefined
    ? standalone(tenants, profiles, vsis)
    : managed({ ...config, manager }, logger);
}

function egressOf({
  shaper,
  peerDelivery,
}: {
  shaper?: number | undefined;
  peerDelivery?: true | undefined;
}): PortEgress {
  return { ...(shaper && { shaper }), ...(peerDelivery && { peerDelivery }) };
}

function otherPorts(
  config: BridgeConfig,
  macOf: (port: PortName) => MacAddress | undefined,
): ReadonlyMap<PortName, RelayPort> {
  const ports = new Map<PortName, RelayPort>();
  for (const [name, port] of Object.entries(config.ports))
    if (port.kind === 'network') {
      const { kind, nativeVlan = null, vlans, hostVlan: vlan = null, hostProtocols: protocols } = port;
      const host = { vlan, address: macOf(name) ?? noAddress, protocols };
      ports.set(name, {
        kind,
        nativeVlan,
        vlans,
        ...((vlan ?? protocols.length) && { host }),
        ...egressOf(port),
      });
    } else if (port.kind === 'mirror') ports.set(name, port);
  return ports;
}
