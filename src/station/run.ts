import { randomInt } from 'node:crypto';
import type { Logger } from 'pino';
import { ApiClient } from '../api/client.ts';
import { Reporter } from '../api/reporter.ts';
import type { HypervisorEvent } from '../hypervisors/event.ts';
import { watchDirectory } from '../hypervisors/qemu/directory-watcher.ts';
import { now, systemClock } from '../linux/clock.ts';
import { interfaceAddress, interfaceIndex, interfaceRuns } from '../linux/interfaces.ts';
import { monitorLinks } from '../linux/link-monitor.ts';
import { etherTypeFilter, PacketSocket } from '../linux/packet-socket.ts';
import { etherTypes, groupAddresses } from '../protocol/ethernet.ts';
import { evbParameters } from '../protocol/evb/parameters.ts';
import { managementIp } from '../protocol/lldp/management.ts';
import { StationAgent } from './agent.ts';
import type { StationConfig } from './config.ts';
import { serveControl } from './control.ts';
import { RunningVmsFile } from './running-vms.ts';
import { stationSigning } from './signing.ts';
import { VsiDirectory } from './vsi-directory.ts';

/**
 * Runs a station agent on an uplink in this process's network namespace until `close`.
 * @throws SystemError, ApiError, Invalid, LocalSocketError: one line, and nothing was changed
 */
export async function runStation(config: StationConfig, logger: Logger): Promise<{ close(): Promise<void> }> {
  const failed = (error: unknown) => logger.error({ err: error }, 'unexpected');
  const api = new ApiClient(config.manager, { token: config.token });
  const reporter = new Reporter((refused) => logger.warn(`the manager refused: ${refused}`));
  using cleanup = new DisposableStack();
  let index = interfaceIndex(config.uplink);
  const socket = new PacketSocket(config.uplink, {
    filter: etherTypeFilter(Object.values(etherTypes)),
    groups: groupAddresses,
  });
  cleanup.defer(() => socket.close());
  const file = new RunningVmsFile(config.control, (message) => logger.warn(message));
  const remembered = file.load();
  const known = remembered.flatMap(({ vsis }) => vsis);
  const vsis = new VsiDirectory(api, (message) => logger.warn(message), known);
  cleanup.defer(() => vsis.close());

  const signing = stationSigning(config, now() / 1e6, (message) => logger.warn(message));
  const watched = new Set<string>();
  const agent = new StationAgent({
    name: config.name,
    evb: evbParameters(config.evb),
    firstSequence: randomInt(1, 65_536),
    ...(config.managementAddresses.length && {
      managementAddresses: config.managementAddresses.map(managementIp),
    }),
    uplink: {
      name: config.uplink,
      mac: interfaceAddress(config.uplink),
      send: (frame) => void socket.send(frame),
    },
    ...(signing && { signing, rememberBridge: (verified) => signing.remember(verified) }),
    clock: systemClock,
    timestamp: now,
    vsisOf: (macs) => vsis.of(macs),
    report: (report) => reporter.tell(() => api.report(report)),
    // the hypervisor itself tells of those that are watched
    remember: (running) => file.save(running.filter(({ vm }) => !watched.has(vm))),
    log: (level, message) => logger[level](message),
  });
  const control = await serveControl(config.control, agent, now);
  cleanup.defer(() => control.close());
  signing?.started();
  if (config.qemu) {
    const happened = (event: HypervisorEvent) => {
      watched.add(event.vm);
      agent.happened(event).catch(failed);
    };
    const watcher = watchDirectory(config.qemu.directory, {
      suffix: config.qemu.suffix,
      emit: happened,
      problem: (message) => logger.warn(message),
      now,
    });
    cleanup.defer(() => watcher.close());
  }
  socket.listen((frame) => agent.receive(frame), failed);
  cleanup.defer(
    monitorLinks((change) => {
      if (change.exists && change.name === config.uplink && change.index !== index) {
        index = change.index;
        logger.info(`the interface ${config.uplink} was made anew`);
        try {
          socket.bind();
        } catch (error) {
          logger.warn((error as Error).message); // it may be gone again
        }
      }
      if (change.index === index) agent.linkChanged(change.runs);
    }, failed),
  );
  if (interfaceRuns(config.uplink)) agent.linkChanged(true);
  for (const { vm, macs } of remembered)
    agent.happened({ kind: 'started', vm, macs, at: now() }).catch(failed);

  const running = cleanup.move();
  return {
    async close() {
      agent.stop();
      running.dispose();
      await reporter.close();
      api.close();
    },
  };
}
