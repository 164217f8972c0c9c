import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseProfileKey } from '../../domain/profile-ref.ts';
import { parseVid } from '../../domain/vid.ts';
import type { VsiId } from '../../domain/vsi-id.ts';
import { Processes } from '../../lab/processes.ts';
import { systemClock } from '../../linux/clock.ts';
import { interfaceAddress } from '../../linux/net/interfaces.ts';
import { createQuietNamespace, deleteNamespace, inNamespace } from '../../linux/net/namespace.ts';
import { etherTypeFilter, PacketSocket } from '../../linux/net/packet-socket.ts';
import { ip } from '../../linux/run.ts';
import { Driver } from '../../protocol/driver.ts';
import { etherTypes } from '../../domain/packet-numbers.ts';
import { signingWith, type SigningOptions } from '../../protocol/signed/control.ts';
import { keyLength, signingKey } from '../../protocol/signed/key.ts';
import { StationPort, type StationPortOutput } from '../../protocol/station-port.ts';
import { BenchError, note } from '../report.ts';
import { answerTimes, overRounds, type AnswerTimes } from './answer-time.ts';
import { Answers } from './answers.ts';
import { until } from './bed.ts';
import { benchVsi, startBridge, timers } from './bridge.ts';
import { measureFrames, type FrameCost } from './signed-frames.ts';

/** What it costs that control frames are signed. */
export interface SignatureCost extends FrameCost {
  readonly signedAnswerMs: AnswerTimes;
  readonly unsignedAnswerMs: AnswerTimes;
}

const kinds = ['signed', 'unsigned'] as const;
type Kind = (typeof kinds)[number];
const portOf = { signed: 'p1', unsigned: 'p2' } as const satisfies Record<Kind, string>;
const warmUp = 50;
const withinMs = 5_000;

/**
 * Two stations of ours at two ports of one bridge agent, of which one signs and is answered with signatures. They ask in
 * turn, `rounds` times `samples` associations each, one at a time: who is first changes with each.
 */
export async function measureSignature(
  rounds: number,
  samples: number,
  stop: AbortSignal,
): Promise<SignatureCost> {
  await using cleanup = new AsyncDisposableStack();
  const [network, host] = ['switch', 'host'].map((name) => `hp-control-${process.pid}-signed-${name}`);
  for (const namespace of [network!, host!]) {
    cleanup.defer(() => deleteNamespace(namespace));
    await createQuietNamespace(namespace);
  }
  for (const kind of kinds) {
    const port = portOf[kind];
    await ip(network!, [`link add ${port} type veth peer name ${kind} netns ${host}`, `link set ${port} up`]);
    await ip(host!, [`link set ${kind} up`]);
  }
  const directory = mkdtempSync(join(tmpdir(), 'hp-control-'));
  cleanup.defer(() => rmSync(directory, { recursive: true, force: true }));
  const secret = randomBytes(keyLength);
  const key = signingKey(secret);
  const stationKeys = join(directory, 'station-keys');
  writeFileSync(stationKeys, `signed: ${secret.toString('hex')}\n`, { mode: 0o600 });
  const vsis = 2 * (warmUp + rounds * samples);
  const processes = new Processes(directory);
  cleanup.use(
    await startBridge(network!, directory, processes, Object.values(portOf), vsis, { stationKeys }),
  );
  const signing = signingWith(1, key);
  const stations = {
    signed: cleanup.use(new OwnStation(host!, 'signed', signing)),
    unsigned: cleanup.use(new OwnStation(host!, 'unsigned')),
  };
  for (const kind of kinds) await stations[kind].ready(stop);

  let asked = 0;
  const turn = async (turns: number): Promise<Record<Kind, number[]>> => {
    const times: Record<Kind, number[]> = { signed: [], unsigned: [] };
    for (let i = 0; i < turns; i++)
      for (const kind of i % 2 ? kinds : kinds.toReversed())
        times[kind].push(await stations[kind].ask(++asked, stop));
    return times;
  };
  await turn(warmUp);
  const measured: Record<Kind, AnswerTimes[]> = { signed: [], unsigned: [] };
  for (let round = 1; round <= rounds; round++) {
    const times = await turn(samples);
    for (const kind of kinds) measured[kind].push(answerTimes(times[kind]));
    const [signed, unsigned] = kinds.map((kind) => measured[kind].at(-1)!.p50.toFixed(3));
    note(`signatures: round ${round} of ${rounds}, p50 ${signed} ms signed, ${unsigned} ms unsigned`);
  }
  return {
    signedAnswerMs: overRounds(measured.signed),
    unsignedAnswerMs: overRounds(measured.unsigned),
    ...measureFrames(),
  };
}

/** A station of ours on an interface of the host's. */
class OwnStation implements Disposable {
  readonly #kind: Kind;
  readonly #driver: Driver<StationPort, StationPortOutput>;
  readonly #socket: PacketSocket;
  readonly #answers: Answers;
  readonly #granted = new Set<VsiId>();

  constructor(namespace: string, kind: Kind, signing?: SigningOptions) {
    this.#kind = kind;
    const mac = inNamespace(namespace, () => interfaceAddress(kind));
    const filter = etherTypeFilter([etherTypes.lldp, etherTypes.ecp]);
    this.#socket = inNamespace(namespace, () => new PacketSocket(kind, { filter }));
    this.#answers = new Answers(namespace, kind);
    const machine = new StationPort({
      mac,
      systemName: kind,
      portId: kind,
      evb: { reflectiveRelay: true, groupIds: false, timers },
      ...(signing && { signing }),
    });
    this.#driver = new Driver<StationPort, StationPortOutput>(machine, systemClock, (output) => {
      if (output.kind === 'send') this.#socket.send(output.frame);
      else if (output.kind === 'granted') this.#granted.add(output.vsiId);
    });
    this.#socket.listen(
      (frame) => this.#driver.receive(frame),
      (error) => {
        throw error;
      },
    );
    this.#driver.do((port, now) => port.linkUp(now));
  }

  /** EVB is negotiated, and the bridge is trusted as it is to be. @throws BenchError */
  async ready(stop: AbortSignal): Promise<void> {
    const { machine } = this.#driver;
    const trust = this.#kind === 'signed' ? 'signed' : 'first use';
    const is = () => machine.trust === trust && machine.state().evb.negotiated;
    if (!(await until(stop, is, withinMs, 10)))
      throw new BenchError(`the bridge is not heard: ${this.#kind}`);
  }

  /** Associates VSI n. @returns from request to answer in ms, by the kernel's time stamps */
  async ask(n: number, stop: AbortSignal): Promise<number> {
    const { vsiId, mac, vid } = benchVsi(n);
    const filter = { format: 'mac-vid', entries: [{ mac, vid: parseVid(vid) }] } as const;
    this.#driver.do((port, now) =>
      port.request({ vsiId, profile: parseProfileKey('0x0c/17/1'), filter }, 'associate', now),
    );
    if (!(await until(stop, () => this.#granted.has(vsiId), withinMs)))
      throw new BenchError(`no answer for VSI ${n}, ${this.#kind}`);
    const time = this.#answers.timeOf(vsiId);
    if (time === null) throw new BenchError(`the answer for VSI ${n} was not seen`);
    return time;
  }

  [Symbol.dispose](): void {
    this.#driver.stop();
    this.#answers[Symbol.dispose]();
    this.#socket.close();
  }
}
