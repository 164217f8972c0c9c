import { randomInt } from 'node:crypto';
import { mkdirSync, readdirSync, rmdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Logger } from 'pino';
import { refuseIfServed } from '../local/socket-path.ts';
import { Invalid } from '../base/invalid.ts';
import type { MacAddress } from '../domain/mac-address.ts';
import { fromMonotonic, monotonicMs, now, systemClock } from '../linux/clock.ts';
import { monitorLinks } from '../linux/net/link-monitor.ts';
import { hasMountsOfItsOwn } from '../linux/net/namespace.ts';
import { evbParameters } from '../protocol/evb/parameters.ts';
import { managementIp } from '../protocol/lldp/management.ts';
import { EbpfRelay } from '../relay/ebpf/relay.ts';
import type { PortEgress, PortName, RelayPort } from '../relay/contract/relay.ts';
import { BridgeAgent } from './core/agent.ts';
import { noAddress } from './core/station-ports.ts';
import type { PortSettings, StationLink } from './core/parts.ts';
import { controlPath, holdOf, type BridgeConfig } from './config/config.ts';
import { serveControl } from './control/control.ts';
import { managed } from './knowledge/managed.ts';
import { checkRouteToManager } from './manager-route.ts';
import { Ports } from './ports.ts';
import { portChanges, refuseWhatIsFixed } from './config/reload.ts';
import { signingKeys } from './knowledge/signing-keys.ts';
import type { Source } from './knowledge/source.ts';
import { rememberedStations } from './knowledge/station-file.ts';
import { standalone } from './knowledge/standalone.ts';
import { withNames } from './control/vm-names.ts';

export interface RunningBridge {
  close(): Promise<void>;
  /** Puts a changed file in force. @throws Invalid or RelayError: one line, and nothing was changed */
  reload(config: BridgeConfig): void;
}

/**
 * Runs a bridge agent in this process's network namespace until `close`; the data plane goes on after that.
 * @throws RelayError, SystemError, ApiError, LocalSocketError: one line, and nothing was changed
 */
export async function runBridge(config: BridgeConfig, logger: Logger): Promise<RunningBridge> {
  const failed = (error: unknown) => logger.error({ err: error }, 'unexpected');
  const log = (level: 'info' | 'warn', message: string) => logger[level](message);
  await refuseIfServed(controlPath(config)); // before the data plane is touched: it may be another agent's
  using cleanup = new DisposableStack();
  const checkRoute = async ({ manager, ports }: BridgeConfig) => {
    if (manager !== undefined) await checkRouteToManager(manager, ports, (message) => log('warn', message));
  };
  await checkRoute(config);
  if (makeStateDirectory(config.stateDirectory)) cleanup.defer(() => removeIfEmpty(config.stateDirectory));
  const source = sourceOf(config, logger);
  const memory = rememberedStations(config.stateDirectory, Object.keys(config.ports), (message) =>
    logger.warn(message),
  );
  const keys = signingKeys(config, logger);
  cleanup.defer(() => keys.close());
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
    ...settingsOf(config, ports),
    linkOf: (name) => ports.linkOf(name),
    relay,
    directory: source.directory,
    stations: memory.stations,
    signing: keys.keyring,
    clock: systemClock,
    timestamp: now,
    stampOf: fromMonotonic,
    report: (report) => source.report(report),
    changed: (vsiId) => source.changed(vsiId),
    log: (level, message) => log(level, withNames(message, source.directory)),
  });
  const control = await serveControl(controlPath(config), {
    name: config.name,
    agent,
    relay,
    directory: source.directory,
    mtuOf: (name) => ports.mtuOf(name),
    now: monotonicMs,
    stampOf: fromMonotonic,
  });
  cleanup.defer(() => control.close());
  cleanup.defer(() => memory.close());
  cleanup.defer(() => agent.stop());
  agent.start();
  source.follow(agent, relay);
  ports.start(agent);
  keys.follow(() => agent.keysChanged());
  started = true;
  const running = cleanup.move();
  let inForce = config;
  return {
    reload(next) {
      refuseWhatIsFixed(inForce, next);
      const useKeys = keys.reload();
      const { removed, added, changed } = portChanges(inForce.ports, next.ports);
      agent.configure(settingsOf(next, ports));
      for (const name of removed) ports.remove(name);
      for (const [name, kind] of added) ports.add(name, kind);
      source.reload?.(next);
      useKeys();
      inForce = next;
      const words = { added: [...added.keys()], removed, changed };
      for (const [what, names] of Object.entries(words))
        if (names.length) log('info', `ports ${what}: ${names.join(', ')}`);
      checkRoute(next).catch((error: unknown) => log('warn', (error as Error).message));
    },
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
  const { manager } = config;
  return manager === undefined ? standalone(config) : managed({ ...config, manager }, logger);
}

/** The ports as the file has them; what they say and hear goes by `ports`. */
function settingsOf(config: BridgeConfig, ports: Ports): PortSettings {
  const links = Object.entries(config.ports).flatMap(([name, port]): StationLink[] =>
    port.kind === 'station'
      ? [
          {
            name,
            mac: ports.macOf(name),
            egress: egressOf(port),
            secondStation: port.secondStation,
            placeHold: port.placeHold * 1_000,
            announcements: port.announcements,
            hold: holdOf(port.hold),
            host: port.host,
            drain: () => ports.drain(name),
            send: (frame) => ports.send(name, frame), // a port that is down drops it, and ECP tries again
          },
        ]
      : [],
  );
  return {
    links,
    otherPorts: otherPorts(config, (name) => ports.macOf(name)),
    ageingTime: config.ageingTime,
  };
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
