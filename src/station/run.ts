import { randomInt } from 'node:crypto';
import type { Logger } from 'pino';
import { Reporter } from '../client/reporter.ts';
import { now, systemClock } from '../linux/clock.ts';
import { interfaceAddress, interfaceIndex, interfaceRuns, setInterfaceUp } from '../linux/net/interfaces.ts';
import { monitorLinks } from '../linux/net/link-monitor.ts';
import { readLinks } from '../linux/net/links.ts';
import { etherTypeFilter, PacketSocket } from '../linux/net/packet-socket.ts';
import { changeNetworkParameter } from '../linux/net/sysctl.ts';
import { controlEtherTypes, groupAddresses } from '../protocol/ethernet.ts';
import { evbParameters } from '../protocol/evb/parameters.ts';
import { managementIp } from '../protocol/lldp/management.ts';
import { StationAgent } from './agent.ts';
import { refuseFixed, type StationConfig } from './config.ts';
import { serveControl } from './control.ts';
import { ManagerLink } from './manager-link.ts';
import { hasOtherStation } from './other-station.ts';
import { QemuWatch } from './qemu-watch.ts';
import { RunningVmsFile } from './running-vms.ts';
import { stationSigning } from './signing.ts';
import { HostTaps } from './taps.ts';
import { lockUplink } from './uplink-lock.ts';
import { holdVmFilter } from './vm-filter.ts';

/**
 * Runs a station agent on an uplink in this process's network namespace until `close`.
 * @throws SystemError, ApiError, Invalid, LocalSocketError: one line, and nothing was changed
 */
export async function runStation(
  config: StationConfig,
  logger: Logger,
): Promise<{ close(): Promise<void>; reload(config: StationConfig): void }> {
  const failed = (error: unknown) => logger.error({ err: error }, 'unexpected');
  let setUpWhenArmed = config.setUpWhenArmed;
  const reporter = new Reporter((refused) => logger.warn(`the manager refused: ${refused}`));
  using cleanup = new DisposableStack();
  let index = interfaceIndex(config.uplink);
  const unlock = await lockUplink(config.uplink, config.control);
  cleanup.defer(unlock);
  if (hasOtherStation(index))
    logger.warn(
      `${config.uplink}: another program speaks ECP there, as lldpad does; a bridge has one station at a port`,
    );
  const socket = new PacketSocket(config.uplink, {
    filter: etherTypeFilter(controlEtherTypes),
    groups: groupAddresses,
  });
  cleanup.defer(() => socket.close());
  const file = new RunningVmsFile(config.control, (message) => logger.warn(message));
  const remembered = file.load();
  const known = remembered.flatMap(({ vsis }) => vsis);
  const manager = new ManagerLink(config, (message) => logger.warn(message), known);
  cleanup.defer(() => manager.vsis.close());
  const taps = new HostTaps({
    uplink: () => index,
    links: readLinks,
    setUp: setInterfaceUp,
    setParameter: changeNetworkParameter,
    isOn: () => setUpWhenArmed,
    log: (level, message) => logger[level](message),
  });

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
    taps,
    vsisOf: (macs) => manager.vsis.of(macs),
    report: (report) => reporter.tell(() => manager.api.report(report)),
    // the hypervisor itself tells of those that are watched
    remember: (running) => file.save(running.filter(({ vm }) => !watched.has(vm))),
    log: (level, message) => logger[level](message),
  });
  const control = await serveControl(config.control, agent, async () => (await filter).status(), now);
  cleanup.defer(() => control.close());
  signing?.started();
  const filter = holdVmFilter(config.uplink, (level, message) => logger[level](message), failed);
  const held = await filter;
  cleanup.defer(() => held.close());
  const qemu = new QemuWatch(
    (event) => {
      watched.add(event.vm);
      agent.happened(event).catch(failed);
    },
    (message) => logger.warn(message),
  );
  cleanup.defer(() => qemu.close());
  qemu.watch(config.qemu);
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
      else if (taps.isWaiting) agent.tapsChanged();
    }, failed),
  );
  if (interfaceRuns(config.uplink)) agent.linkChanged(true);
  for (const { vm, macs } of remembered)
    agent.happened({ kind: 'started', vm, macs, at: now() }).catch(failed);

  const running = cleanup.move();
  return {
    reload(next) {
      refuseFixed(config, next);
      const useKey = signing?.reload();
      qemu.watch(next.qemu);
      if (useKey?.()) agent.keysChanged();
      manager.follow(next);
      ({ setUpWhenArmed } = next);
      config = next;
    },
    async close() {
      agent.stop();
      running.dispose();
      await reporter.close();
      manager.close();
    },
  };
}
