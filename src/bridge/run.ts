import { randomInt } from 'node:crypto';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { evbParameters } from '../api/agent-config.ts';
import { ApiClient } from '../api/client.ts';
import { Reporter } from '../api/reporter.ts';
import type { VsiId } from '../domain/vsi-id.ts';
import { fromMonotonic, now, systemClock } from '../linux/clock.ts';
import { interfaceAddress, interfaceIndex, interfaceRuns } from '../linux/interfaces.ts';
import { monitorLinks } from '../linux/link-monitor.ts';
import { etherTypeFilter, PacketSocket } from '../linux/packet-socket.ts';
import { etherTypes } from '../protocol/ethernet.ts';
import { EbpfRelay } from '../relay/ebpf/relay.ts';
import type { PortName, RelayPort } from '../relay/relay.ts';
import { BridgeAgent } from './agent.ts';
import type { BridgeConfig } from './config.ts';
import { ManagerDirectory } from './manager-directory.ts';
import { bridgeStatus, vsiStatus } from './status.ts';

const statusIntervalMs = 10_000;

/**
 * Runs a bridge agent in this process's network namespace until `close`; the data plane goes on after that.
 * @throws RelayError, SystemError, ApiError: one line, and nothing was changed
 */
export async function runBridge(config: BridgeConfig, logger: Logger): Promise<{ close(): Promise<void> }> {
  const stationPorts = Object.keys(config.ports).filter((name) => config.ports[name]!.kind === 'station');
  for (const name of Object.keys(config.ports)) interfaceIndex(name);
  const failed = (error: unknown) => logger.error({ err: error }, 'unexpected');
  const api = new ApiClient(config.manager, { token: config.token });
  const reporter = new Reporter((refused) => logger.warn(`the manager refused: ${refused}`));
  using cleanup = new DisposableStack();
  const directory = new ManagerDirectory(api, config.stateDirectory);
  const relay = EbpfRelay.open(join(config.stateDirectory, 'bpf'), failed);
  cleanup.defer(() => relay.close());
  const sockets = new Map<PortName, PacketSocket>();
  for (const name of stationPorts) {
    const socket = new PacketSocket(name, { filter: etherTypeFilter(Object.values(etherTypes)) });
    sockets.set(name, socket);
    cleanup.defer(() => socket.close());
  }

  const agent = new BridgeAgent({
    name: config.name,
    evb: evbParameters(config.evb),
    limits: { vsis: config.limits.vsisPerPort, filterEntries: config.limits.filterEntries },
    firstSequence: randomInt(1, 65_536),
    links: stationPorts.map((name) => ({
      name,
      mac: interfaceAddress(name),
      runs: interfaceRuns(name),
      send: (frame) => void sockets.get(name)!.send(frame), // a port that is down drops it, and ECP tries again
    })),
    otherPorts: otherPorts(config),
    relay,
    directory,
    clock: systemClock,
    timestamp: now,
    stampOf: fromMonotonic,
    report: (report) => reporter.tell(() => api.report(report)),
    changed: (vsiId) => tellStatus(vsiId),
    log: (level, message) => logger[level](message),
  });
  const tellStatus = (vsiId: VsiId | null): void => {
    reporter.tell(() => api.put('bridges', bridgeStatus(config.name, agent, relay, now())), 'bridge');
    if (!vsiId) return;
    const status = vsiStatus(config.name, vsiId, agent, now());
    reporter.tell(() => api.putStatus(vsiId, status), vsiId);
  };

  agent.start();
  directory.open({
    profileChanged: (profile) => agent.profileChanged(profile),
    withdrawn: (what) => agent.withdrawn(what),
    migrationOpened: (vsiId) => agent.migrationOpened(vsiId),
    log: (level, message) => logger[level](message),
  });
  for (const [name, socket] of sockets) socket.listen((frame) => agent.receive(name, frame), failed);
  const portOf = new Map(stationPorts.map((name) => [interfaceIndex(name), name]));
  const stopMonitor = monitorLinks(({ index, runs }) => {
    const port = portOf.get(index);
    if (port) agent.linkChanged(port, runs);
  }, failed);
  tellStatus(null);
  for (const vsiId of agent.entries.keys()) tellStatus(vsiId);
  const timer = setInterval(() => tellStatus(null), statusIntervalMs);

  const running = cleanup.move();
  return {
    async close() {
      clearInterval(timer);
      stopMonitor();
      agent.stop();
      directory.close();
      running.dispose();
      await reporter.close();
      api.close();
    },
  };
}

function otherPorts(config: BridgeConfig): ReadonlyMap<PortName, RelayPort> {
  const ports = new Map<PortName, RelayPort>();
  for (const [name, port] of Object.entries(config.ports))
    if (port.kind === 'network') ports.set(name, { ...port, nativeVlan: port.nativeVlan ?? null });
    else if (port.kind === 'mirror') ports.set(name, port);
  return ports;
}
