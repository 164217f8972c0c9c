import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { BridgeAgent } from '../../bridge/core/agent.ts';
import { FileDirectory } from '../../bridge/knowledge/file-directory.ts';
import { parseMac } from '../../domain/mac-address.ts';
import { profileKey } from '../../domain/profile-ref.ts';
import { plainForwarding, type PortProfile } from '../../domain/port-profile.ts';
import { parseManagerId } from '../../domain/manager-id.ts';
import { parseVid } from '../../domain/vid.ts';
import { threadMs } from '../../linux/clock.ts';
import { createQuietNamespace, deleteNamespace, inNamespace } from '../../linux/net/namespace.ts';
import { ip } from '../../linux/run.ts';
import { noHints, type VdpMode } from '../../protocol/vdp/association.ts';
import { VirtualClock } from '../../base/virtual-clock.ts';
import { EbpfRelay } from '../../relay/ebpf/relay.ts';
import { defaultAgeingTime } from '../../relay/contract/relay.ts';
import { BenchError, median, note, round } from '../report.ts';
import { benchId, timers } from './bridge.ts';
import { ScriptedStation } from './scripted-station.ts';

export interface Scale {
  /** the bridge's CPU time for all associations */
  readonly ms: number;
  /** of JavaScript's heap, typed arrays included */
  readonly bytesPerVsi: number;
  readonly rssBytesPerVsi: number;
  /** CPU time to associate one, median of the last 500 through median of the first 500 */
  readonly lastVsFirst: number;
  readonly vsis: number;
  readonly ports: number;
  readonly relay: 'ebpf';
}

const edge = 500;
const profiles = 40;
/** Each station has its next turn after all others: longer than the bridge waits between two ECPDUs. */
const turnMs = 0.1;

/**
 * The bridge agent with the eBPF relay on veth ports of a namespace; the stations are scripts on a virtual clock, whose
 * time does not count. The VSIs take the ports in turn. Before them as many others come and go, so that the code is
 * compiled.
 */
export async function measureScale(vsis: number, ports: number, stop: AbortSignal): Promise<Scale> {
  await using cleanup = new AsyncDisposableStack();
  const namespace = `hp-control-${process.pid}-scale`;
  cleanup.defer(() => deleteNamespace(namespace));
  await createQuietNamespace(namespace);
  const names = Array.from({ length: ports }, (_, i) => `p${i + 1}`);
  await ip(
    namespace,
    names.flatMap((name) => [
      `link add ${name} type veth peer name ${name}-station`,
      `link set ${name} up`,
      `link set ${name}-station up`,
    ]),
  );
  const directory = mkdtempSync(join(tmpdir(), 'hp-control-scale-'));
  cleanup.defer(() => rmSync(directory, { recursive: true, force: true }));
  const relay = inNamespace(namespace, () =>
    EbpfRelay.open(join(directory, 'bpf'), (error) => {
      throw error;
    }),
  );
  cleanup.defer(() => inNamespace(namespace, () => relay.destroy()));
  const bridge = new TimedBridge(names, 2 * vsis, relay);
  inNamespace(namespace, () => bridge.start());

  const inTurns = async (first: number, count: number, mode: VdpMode): Promise<number[]> => {
    const costs: number[] = [];
    for (let n = first; n < first + count; n++) {
      costs.push(inNamespace(namespace, () => bridge.ask(n, mode)));
      if (n % 100 > 0) continue;
      stop.throwIfAborted();
      await new Promise((resolve) => setImmediate(resolve));
    }
    return costs;
  };
  await inTurns(vsis + 1, vsis, 'associate');
  await inTurns(vsis + 1, vsis, 'de-associate');
  note(`scale: ${vsis} VSIs came and went`);
  const before = memory();
  const costs = await inTurns(1, vsis, 'associate');
  const after = memory();
  if (bridge.held !== vsis) throw new BenchError(`${bridge.held} of ${vsis} VSIs were associated`);
  note(`scale: ${vsis} VSIs on ${ports} ports`);
  return {
    ms: round(
      costs.reduce((sum, cost) => sum + cost, 0),
      0,
    ),
    bytesPerVsi: Math.round((after.heap - before.heap) / vsis),
    rssBytesPerVsi: Math.round((after.rss - before.rss) / vsis),
    lastVsFirst: round(median(costs.slice(-edge)) / median(costs.slice(0, edge)), 3),
    vsis,
    ports,
    relay: 'ebpf',
  };
}

/** The agent, and what it costs to tell it something. */
class TimedBridge {
  readonly #agent: BridgeAgent;
  readonly #clock = new VirtualClock();
  readonly #stations: readonly ScriptedStation[];
  readonly #names: readonly string[];
  /** what the agent has sent and nobody has read yet */
  readonly #sent: { readonly port: number; readonly frame: Uint8Array }[] = [];

  constructor(names: readonly string[], vsis: number, relay: EbpfRelay) {
    this.#names = names;
    this.#stations = names.map((_, i) => new ScriptedStation(mac(0x0200, i)));
    const grants = Array.from({ length: vsis }, (_, i) => ({
      vsiId: benchId(i + 1),
      name: `vm${i + 1}`,
      tenant: 'red',
      macs: [mac(0x5254, i + 1)],
      profile: profileKey(profileOf(i + 1).ref),
    }));
    this.#agent = new BridgeAgent({
      name: 'leaf1',
      evb: { reflectiveRelay: true, groupIds: false, timers },
      limits: { vsis: vsis, filterEntries: 64 },
      firstSequence: 1,
      links: names.map((name, i) => ({
        name,
        mac: mac(0x0201, i),
        egress: {},
        send: (frame) => void this.#sent.push({ port: i, frame }),
      })),
      otherPorts: new Map(),
      linkOf: () => 'up',
      ageingTime: defaultAgeingTime,
      relay,
      directory: new FileDirectory(
        Array.from({ length: profiles }, (_, i) => profileOf(i)),
        grants,
      ),
      clock: this.#clock,
      timestamp: () => this.#clock.now() * 1000,
      stampOf: (ns) => Number(ns / 1000n),
      report() {},
      changed() {},
      log() {},
    });
  }

  start(): void {
    this.#agent.start();
    this.#names.forEach((name, i) => this.#agent.receive(name, this.#stations[i]!.hello(timers)));
    this.#clock.pass(5_000);
    this.#sent.length = 0;
  }

  get held(): number {
    return this.#agent.entries.size;
  }

  /** Has VSI n's station ask for it, and acknowledge the answer. @returns the agent's CPU time for both, in ms */
  ask(n: number, mode: VdpMode): number {
    const port = n % this.#names.length;
    const { ref, vlan } = profileOf(n);
    let cost = this.#tell(
      port,
      this.#stations[port]!.request({
        kind: 'request',
        mode,
        vsiId: benchId(n),
        profile: ref,
        filter: { format: 'mac-vid', entries: [{ mac: mac(0x5254, n), vid: vlan }] },
        hints: noHints,
      }),
    );
    for (const { port: by, frame } of this.#sent.splice(0)) {
      const acknowledgement = this.#stations[by]!.acknowledgement(frame);
      if (acknowledgement) cost += this.#tell(by, acknowledgement);
    }
    this.#clock.pass(turnMs);
    return cost;
  }

  #tell(port: number, frame: Uint8Array): number {
    const began = threadMs();
    this.#agent.receive(this.#names[port]!, frame);
    return threadMs() - began;
  }
}

function profileOf(n: number): PortProfile {
  const number = n % profiles;
  return {
    ref: { managerId: parseManagerId('dc1'), typeId: 1 + number, typeVersion: 1 },
    name: `profile ${number}`,
    tenant: 'red',
    tagged: false,
    ...plainForwarding,
    vlan: parseVid(100 + number),
  };
}

function mac(prefix: number, n: number) {
  const digits = prefix.toString(16).padStart(4, '0') + n.toString(16).padStart(8, '0');
  return parseMac(digits.match(/../g)!.join(':'));
}

/** What is in use once all garbage is collected. */
function memory(): { heap: number; rss: number } {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  collect();
  collect();
  const { heapUsed, external, rss } = process.memoryUsage();
  return { heap: heapUsed + external, rss };
}
