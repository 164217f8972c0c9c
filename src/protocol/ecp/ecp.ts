import type { Timing } from '../evb/timers.ts';
import type { Ecpdu } from './ratified.ts';
import { EcpReceiver } from './receiver.ts';
import { EcpTransmitter } from './transmitter.ts';

/** What ECP carries: VDP, and the port extender control of 802.1BR. Each version of ECP has its own numbers for them. */
export const upperLayerNames = ['vdp', 'pe-csp'] as const;
export type UpperLayerName = (typeof upperLayerNames)[number];

/** A protocol above ECP. */
export interface UpperLayer {
  /** whether `pull` would have something */
  hasMore(): boolean;
  /** the next payload, or null if there is none; asked only when it can be sent now */
  pull(now: number): Uint8Array | null;
  /** when the payload pulled last was acknowledged; null: nobody did so, or the connection was lost */
  settled(acknowledgedAt: number | null): void;
  /** each payload once */
  received(payload: Uint8Array, now: number): void;
}

/** Nobody here speaks it, but the standard has it: it is acknowledged and dropped, as lldpad does. */
export const droppedLayer: UpperLayer = {
  hasMore: () => false,
  pull: () => null,
  settled() {},
  received() {},
};

/** Columns of ieee8021BridgeEvbEcpTable (IEEE8021-EVB-MIB), and how many repeats came in. */
export interface EcpCounters {
  readonly txFrameCount: number;
  readonly txRetryCount: number;
  readonly txFailures: number;
  readonly rxFrameCount: number;
  readonly rxRepeatCount: number;
}

export interface EcpOptions {
  readonly layers: Readonly<Record<UpperLayerName, UpperLayer>>;
  /** the numbers in use at the moment; without one, a layer is silent */
  readonly subtypes: () => Readonly<Partial<Record<UpperLayerName, number>>>;
  readonly send: (ecpdu: Ecpdu) => void;
  readonly firstSequence: number;
  /** whether the other side has read what it acknowledges; the default is that it may not have, as lldpad */
  readonly readsAtOnce?: () => boolean;
}

class Carried {
  readonly name: UpperLayerName;
  readonly layer: UpperLayer;
  readonly receiver = new EcpReceiver();
  readonly sent = { txFrameCount: 0, txRetryCount: 0, txFailures: 0 };

  constructor(name: UpperLayerName, layer: UpperLayer) {
    this.name = name;
    this.layer = layer;
  }

  get counters(): EcpCounters {
    return { ...this.sent, ...this.receiver.counters };
  }
}

/**
 * ECP of one port (802.1Q clause 43) for several upper layers. Sent is one ECPDU at a time with numbers of one sequence,
 * the layers in turn: lldpad knows but one last number for all of them. Received, each layer has its own last number, as
 * the other side may count each for itself.
 */
export class Ecp {
  readonly #options: EcpOptions;
  readonly #layers: readonly Carried[];
  readonly #transmitter: EcpTransmitter;
  /** whose payload was sent last */
  #turn = 0;

  constructor(options: EcpOptions) {
    this.#options = options;
    this.#layers = upperLayerNames.map((name) => new Carried(name, options.layers[name]));
    this.#transmitter = new EcpTransmitter(
      {
        hasMore: () => this.#layers.some((carried) => this.#wants(carried)),
        pull: (now) => this.#pull(now),
        send: (sequence, payload, repeated) => {
          const { name, sent } = this.#layers[this.#turn]!;
          if (repeated) sent.txRetryCount++;
          else sent.txFrameCount++;
          const subtype = options.subtypes()[name]!;
          options.send({ operation: 'request', subtype, sequence, payload });
        },
        settled: (how) => {
          const { layer, sent } = this.#layers[this.#turn]!;
          if (how === 'failed') sent.txFailures++;
          layer.settled(typeof how === 'object' ? how.acknowledgedAt : null);
        },
      },
      options.firstSequence,
      options.readsAtOnce,
    );
  }

  /** Whether ECPDUs of this subtype mean anything here. */
  knows(subtype: number): boolean {
    return this.#of(subtype) !== undefined;
  }

  /** Takes an ECPDU of a subtype that it knows. */
  receive(ecpdu: Ecpdu, now: number): void {
    const carried = this.#of(ecpdu.subtype)!;
    if (ecpdu.operation === 'acknowledgement') {
      if (carried === this.#layers[this.#turn]) this.#transmitter.acknowledged(ecpdu.sequence, now);
      return;
    }
    this.#acknowledge(ecpdu);
    if (carried.receiver.isNew(ecpdu.sequence, now)) carried.layer.received(ecpdu.payload, now);
  }

  /** Acknowledges a request that was taken before. */
  repeated(ecpdu: Ecpdu): void {
    this.#of(ecpdu.subtype)!.receiver.counters.rxRepeatCount++;
    this.#acknowledge(ecpdu);
  }

  #acknowledge(ecpdu: Ecpdu): void {
    this.#options.send({ ...ecpdu, operation: 'acknowledgement', payload: new Uint8Array() });
  }

  /** This machine did not run for a while: an acknowledgement may wait to be read. */
  excuse(now: number): void {
    this.#transmitter.excuse(now);
  }

  /** Sends what is due. */
  run(timing: Timing, renumbersRepeats: boolean, now: number): void {
    this.#transmitter.run(timing, renumbersRepeats, now);
  }

  deadline(timing: Timing): number | null {
    return this.#transmitter.deadline(timing);
  }

  /** The other side was lost or restarted: what is on its way is forgotten, and it may use any sequence number. */
  reset(): void {
    this.#transmitter.reset();
    for (const { receiver } of this.#layers) receiver.reset();
  }

  /** Of the whole port, as the MIB has them. */
  get counters(): EcpCounters {
    const sum = (counter: keyof EcpCounters) =>
      this.#layers.reduce((total, { counters }) => total + counters[counter], 0);
    return {
      txFrameCount: sum('txFrameCount'),
      txRetryCount: sum('txRetryCount'),
      txFailures: sum('txFailures'),
      rxFrameCount: sum('rxFrameCount'),
      rxRepeatCount: sum('rxRepeatCount'),
    };
  }

  get countersByLayer(): Readonly<Record<UpperLayerName, EcpCounters>> {
    const entries = this.#layers.map(({ name, counters }) => [name, counters]);
    return Object.fromEntries(entries) as Record<UpperLayerName, EcpCounters>;
  }

  #of(subtype: number): Carried | undefined {
    const subtypes = this.#options.subtypes();
    return this.#layers.find(({ name }) => subtypes[name] === subtype);
  }

  #wants({ name, layer }: Carried): boolean {
    return this.#options.subtypes()[name] !== undefined && layer.hasMore();
  }

  #pull(now: number): Uint8Array | null {
    const { length } = this.#layers;
    for (let step = 1; step <= length; step++) {
      const turn = (this.#turn + step) % length;
      const carried = this.#layers[turn]!;
      if (!this.#wants(carried)) continue;
      this.#turn = turn;
      return carried.layer.pull(now);
    }
    return null;
  }
}
