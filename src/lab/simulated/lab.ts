import { randomBytes, randomInt } from 'node:crypto';
import { mkdirSync, rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { ApiClient } from '../../client/client.ts';
import { Reporter } from '../../client/reporter.ts';
import { BridgeAgent } from '../../bridge/core/agent.ts';
import { Keyring } from '../../bridge/core/signing.ts';
import { ManagerDirectory } from '../../bridge/knowledge/manager-directory.ts';
import { bridgeStatus, Whereabouts } from '../../bridge/knowledge/status.ts';
import { macFromBytes, parseMac } from '../../domain/mac-address.ts';
import type { Strategy, Timestamp } from '../../domain/migration.ts';
import { systemClock } from '../../linux/clock.ts';
import { managerConfigSchema } from '../../manager/config.ts';
import { startManager, type Manager } from '../../manager/run.ts';
import { defaultTimers } from '../../protocol/evb/timers.ts';
import { signingWith } from '../../protocol/signed/control.ts';
import { signingKey } from '../../protocol/signed/key.ts';
import { ReferenceRelay } from '../../relay/reference/relay.ts';
import { defaultAgeingTime } from '../../relay/contract/relay.ts';
import { StationAgent } from '../../station/agent.ts';
import { VsiDirectory } from '../../station/vsi-directory.ts';
import { bridgeConfig, filesOf } from '../agent-configs.ts';
import { refuseIfUp, vmStatus, type Lab, type LabOptions, type LabStatus } from '../lab.ts';
import { LabError } from '../lab-error.ts';
import { garp, profileFirst } from '../choreography.ts';
import type { Toolstack } from '../toolstack.ts';
import { migrate, type MigrationGround, type MigrationRun } from '../migrate.ts';
import { labDirectory } from '../place.ts';
import { populate } from '../populate.ts';
import {
  bridgeName,
  hosts,
  measurable,
  networkPort,
  parseHost,
  peerAddress,
  uplink,
  vms,
  type HostName,
  type LabVmPlan,
} from '../scenario.ts';
import { StreamAccount, type StreamResult } from '../stream/accounting.ts';
import {
  decodeAnswer,
  decodeBeacon,
  decodeProbe,
  encodeProbe,
  encodeQuery,
  intervalUs,
  vmPort,
  type Beacon,
  type Probe,
} from '../stream/datagram.ts';
import { Pace } from '../stream/pace.ts';
import type { Streams } from '../stream/peer.ts';
import { startTicker } from '../stream/ticker.ts';
import { Cable } from './cable.ts';
import { udpFrame, udpPayload, type Endpoint } from '../stream/frames.ts';
import { SimulatedVm } from './vm.ts';

const peer: Endpoint = { mac: parseMac('52:54:00:00:00:01'), address: peerAddress };
const drainMs = 250;
const mostOwed = 100;

/**
 * The laboratory without a kernel: the same agents, manager and scenario in one process, on simulated links, with the
 * reference relay as the switch. The manager's API is the real one.
 */
export class SimulatedLab implements Lab {
  readonly #options: LabOptions;
  readonly #directory: string;
  readonly #relay = new ReferenceRelay(undefined, ({ port, frame }) => {
    if (port === networkPort) this.#atPeer(frame);
  });
  readonly #stations = new Map<HostName, StationAgent>();
  readonly #vms: SimulatedVm[] = [];
  readonly #stack = new AsyncDisposableStack();
  #account: StreamAccount | null = null;
  #manager: Manager | null = null;
  #api: ApiClient | null = null;

  constructor(options: LabOptions) {
    this.#options = options;
    this.#directory = labDirectory(options.id);
  }

  async up(): Promise<void> {
    const { id, listen, progress } = this.#options;
    await refuseIfUp(id);
    rmSync(this.#directory, { recursive: true, force: true });
    mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
    this.#stack.defer(() => rmSync(this.#directory, { recursive: true, force: true }));
    try {
      progress('manager, bridge and stations');
      this.#manager = await startManager(
        managerConfigSchema.parse({ database: ':memory:', listen: [listen] }),
        pino({ level: 'silent' }),
      );
      this.#stack.defer(() => this.#manager!.close());
      const api = this.#client();
      this.#api = api;
      await populate(api);
      this.#connect(api);
      progress('virtual machines (simulated)');
      await Promise.all(vms.map((plan) => this.#startVm(plan)));
    } catch (error) {
      await this.down();
      throw error;
    }
  }

  async down(): Promise<void> {
    await this.#stack.disposeAsync();
  }

  status(): LabStatus {
    return {
      kind: 'simulated',
      vmKind: 'simulated',
      manager: this.#manager?.addresses[0] ?? '-',
      processes: [{ name: 'lab', pid: process.pid }],
      ended: [],
      vms: this.#vms.map(vmStatus),
    };
  }

  async migrate(name: string, to: string, strategy: Strategy, silent = false): Promise<MigrationRun> {
    const toolstack: Toolstack = {
      api: this.#api!,
      announce: (host, event) => this.#stations.get(host)!.happened(event),
      timestamp,
    };
    const ground: MigrationGround = {
      openStreams: (plan) => this.#openStreams(plan),
      choreograph: (vm, hosts) =>
        strategy === 'garp' ? garp(toolstack, vm, hosts, silent) : profileFirst(toolstack, vm, hosts),
    };
    return migrate(ground, measurable(this.#vms, name), parseHost(to), { strategy, silent });
  }

  #client(): ApiClient {
    const api = new ApiClient(this.#manager!.addresses[0]!);
    this.#stack.defer(() => api.close());
    return api;
  }

  /** Cables bridge and stations together and starts them. */
  #connect(api: ApiClient): void {
    const config = bridgeConfig(filesOf(this.#directory));
    const reporter = this.#reporter();
    const directory = new ManagerDirectory(api, config.stateDirectory, () => {});
    const whereabouts = new Whereabouts(bridgeName);
    const evb = { reflectiveRelay: true, groupIds: false, timers: defaultTimers };
    const toStation = new Map(
      hosts.map(({ name, port }) => [port as string, this.#cable((frame) => this.#atHost(name, frame))]),
    );
    const keys = new Map(hosts.map(({ name }) => [name, randomBytes(32)]));
    const agent: BridgeAgent = new BridgeAgent({
      name: bridgeName,
      evb,
      limits: { vsis: 64, filterEntries: 8 },
      firstSequence: randomInt(1, 65_536),
      links: hosts.map(({ port }, i) => ({
        name: port,
        mac: parseMac(`02:00:00:00:01:0${i + 1}`),
        egress: {},
        send: (frame) => toStation.get(port)!.send(frame),
      })),
      otherPorts: new Map([[networkPort, { kind: 'network', nativeVlan: vms[0]!.profile.vlan, vlans: [] }]]),
      linkOf: () => 'up',
      ageingTime: defaultAgeingTime,
      relay: this.#relay,
      directory,
      signing: new Keyring(1, new Map([...keys].map(([name, key]) => [name, [key]]))),
      clock: systemClock,
      timestamp,
      stampOf: (ns) => timestamp() - Math.round(Number(process.hrtime.bigint() - ns) / 1000),
      report: (report) => reporter.tell(() => api.report(report)),
      changed: (vsiId) => {
        reporter.tell(
          () => api.put('bridges', bridgeStatus(bridgeName, agent, this.#relay, timestamp())),
          'bridge',
        );
        const status = vsiId && whereabouts.of(vsiId, agent, timestamp());
        if (status) reporter.tell(() => api.putStatus(vsiId, status), vsiId);
      },
      log: () => {},
    });
    this.#toSwitch = (port, frame) => {
      if (isControl(frame)) {
        agent.receive(port, frame);
        return;
      }
      const beacon = beaconIn(frame);
      if (beacon) this.#account?.beaconEntered(beacon, timestamp());
      for (const emission of this.#relay.receive(port, frame, process.hrtime.bigint()))
        if (emission.port === networkPort) this.#atPeer(emission.frame);
        else if (emission.port !== null) toStation.get(emission.port)?.send(emission.frame);
    };
    for (const [i, { name, port }] of hosts.entries()) {
      const key = signingKey(keys.get(name)!);
      const cable = this.#cable((frame) => this.#toSwitch(port, frame));
      const known = new VsiDirectory(api, () => {});
      const reports = this.#reporter();
      const station = new StationAgent({
        name,
        evb,
        signing: signingWith(1, key),
        firstSequence: randomInt(1, 65_536),
        uplink: {
          name: uplink,
          mac: parseMac(`02:00:00:00:02:0${i + 1}`),
          send: (frame) => cable.send(frame),
        },
        clock: systemClock,
        timestamp,
        vsisOf: (macs) => known.of(macs),
        report: (report) => reports.tell(() => api.report(report)),
        remember: () => {},
        log: () => {},
      });
      this.#stations.set(name, station);
      this.#stack.defer(() => {
        known.close();
        station.stop();
      });
    }
    this.#stack.defer(() => {
      directory.close();
      agent.stop();
    });
    agent.start();
    directory.open(agent);
    for (const station of this.#stations.values()) station.linkChanged(true);
  }

  #toSwitch: (port: string, frame: Uint8Array) => void = () => {};

  #reporter(): Reporter {
    const reporter = new Reporter(() => {});
    this.#stack.defer(() => reporter.close());
    return reporter;
  }

  #cable(deliver: (frame: Uint8Array) => void): Cable {
    const cable = new Cable(deliver);
    this.#stack.defer(() => cable.unplug());
    return cable;
  }

  /** The host has no switch: its VEPA hands a frame to the station, or to the VM that it is for. */
  #atHost(host: HostName, frame: Uint8Array): void {
    const probe = probeIn(frame);
    if (probe) {
      const by = hosts.findIndex(({ name }) => name === host);
      this.#account?.probeLeft(probe, { by, at: timestamp() });
    }
    if (isControl(frame)) this.#stations.get(host)!.receive(frame);
    else for (const vm of this.#vms) vm.receive(host, frame);
  }

  #atPeer(frame: Uint8Array): void {
    const payload = udpPayload(frame);
    const beacon = payload && decodeBeacon(payload);
    if (beacon) this.#account?.beaconReceived(beacon, timestamp());
    const answer = payload && decodeAnswer(payload);
    if (answer) this.#account?.answered(answer);
  }

  async #startVm(plan: LabVmPlan): Promise<void> {
    const cables = new Map(
      hosts.map(({ name, port }) => [name, this.#cable((frame) => this.#toSwitch(port, frame))]),
    );
    const vm = new SimulatedVm(plan, peer, (host, frame) => cables.get(host)!.send(frame), timestamp);
    this.#vms.push(vm);
    await vm.start();
    const outcome = await this.#stations.get(plan.host)!.happened({
      kind: 'started',
      vm: plan.name,
      macs: [plan.mac],
      at: timestamp(),
    });
    if (!outcome.granted) throw new LabError(`VM ${plan.name}: ${outcome.reason}`);
  }

  #openStreams(plan: LabVmPlan): Promise<Streams> {
    const run = BigInt(timestamp());
    const account = new StreamAccount(run, hosts.length);
    this.#account = account;
    const vm = this.#vms.find((vm) => vm.plan === plan)!;
    const probes = this.#cable((frame) => this.#toSwitch(networkPort, frame));
    const intervalMs = intervalUs / 1000;
    const pace = new Pace(performance.now(), intervalMs, mostOwed);
    const beats = new Pace(performance.now(), intervalMs, mostOwed);
    let sequence = 0;
    let sending = true;
    let quiet = false;
    const stopTicker = startTicker(intervalMs, () => {
      const now = performance.now();
      for (let due = sending ? pace.due(now) : 0; due > 0; due--) {
        account.probeSent(sequence, timestamp());
        probes.send(udpFrame(peer, plan, vmPort, encodeProbe({ sequence: sequence++, run, quiet })));
      }
      for (let due = beats.due(now); due > 0; due--) vm.beat();
    });
    const end = async (): Promise<void> => {
      sending = false;
      await sleep(drainMs);
    };
    const abandon = (): void => {
      stopTicker();
      this.#account = null;
    };
    const count = async (): Promise<StreamResult> => {
      for (const from of account.unasked)
        probes.send(udpFrame(peer, plan, vmPort, encodeQuery({ from, run })));
      await sleep(drainMs);
      if (account.unasked.length) throw new LabError(`the VM at ${plan.address} does not answer`);
      abandon();
      return account.result();
    };
    return Promise.resolve({
      hush: () => (quiet = true),
      end,
      count,
      stop: async () => {
        await end();
        return count();
      },
      abandon,
    });
  }
}

function beaconIn(frame: Uint8Array): Beacon | null {
  const payload = udpPayload(frame);
  return payload && decodeBeacon(payload);
}

function probeIn(frame: Uint8Array): Probe | null {
  const payload = udpPayload(frame);
  return payload && decodeProbe(payload);
}

function isControl(frame: Uint8Array): boolean {
  return macFromBytes(frame).startsWith('01:80:c2:00:00:0');
}

/** Without libc, so that it runs anywhere. */
function timestamp(): Timestamp {
  return Math.round((performance.timeOrigin + performance.now()) * 1000);
}
