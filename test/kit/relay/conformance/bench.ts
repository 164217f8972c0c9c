import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { Feature } from '../../../../src/relay/contract/capabilities.ts';
import type { Relay, RelayEvent, RelayPort, RelayState } from '../../../../src/relay/contract/relay.ts';
import type { DropReason } from '../../../../src/domain/drop-reason.ts';
import { idOf, macOf, network, state, station, type VsiSpec } from '../states.ts';

/** A relay whose ports s1, s2, s3, n1, n2 and m1 somebody stands at, with everything that comes out of them. */
export interface Harness {
  readonly relay: Relay;
  apply(state: RelayState): void;
  /**
   * Sends the frames into the port one after the other; all that left by any port since, per port in order, and as
   * `host`, without their tags, what the switch's own stack got of these EtherTypes: 88B5, LLDP, slow protocols, EAPOL.
   */
  exchange(port: string, ...frames: Uint8Array[]): Promise<Map<string, Uint8Array[]>>;
  /** Likewise of a super-frame (GSO): UDP over IPv4, in segments of so many octets. */
  exchangeSuper(port: string, frame: Uint8Array, size: number): Promise<Map<string, Uint8Array[]>>;
  /** Gives a port's interface another MTU than 9,000, and tells the relay. */
  setMtu(port: string, mtu: number): Promise<void>;
  /** Returns when the relay's clock has gone on so far. */
  pass(seconds: number): Promise<void>;
  close(): Promise<void>;
}

export const [a, b, c, outside] = [macOf(1), macOf(2), macOf(3), '02:00:00:00:00:99'];
export const slowest = 8000; // bit/s: an octet a millisecond, so that no test is quick or slow enough to matter
export const ports: Record<string, RelayPort> = {
  s1: station,
  s2: station,
  s3: station,
  n1: network(null, 10, 20),
};

export const usualMtu = 9000;

export function hex(frame: Uint8Array): string {
  return Buffer.from(frame).toString('hex');
}

/** What the tests of the contract work with, whatever the driver. */
export class Bench {
  readonly events: RelayEvent[] = [];
  #harness: Harness | null = null;

  readonly open = async (open: () => Promise<Harness>): Promise<void> => {
    this.#harness = await open();
    this.relay().watch((event) => this.events.push(event));
  };

  readonly clear = (): void => {
    this.apply(state({}));
    this.events.length = 0;
  };

  readonly close = (): Promise<void> => this.#open().close();

  readonly relay = (): Relay => this.#open().relay;

  readonly apply = (desired: RelayState): void => this.#open().apply(desired);

  readonly exchange = (port: string, ...frames: Uint8Array[]): Promise<Map<string, Uint8Array[]>> =>
    this.#open().exchange(port, ...frames);

  readonly exchangeSuper: Harness['exchangeSuper'] = (port, frame, size) =>
    this.#open().exchangeSuper(port, frame, size);

  /** Runs `body` while the port has this MTU. */
  readonly withMtu = async (port: string, mtu: number, body: () => Promise<void>): Promise<void> => {
    await this.#open().setMtu(port, mtu);
    try {
      await body();
    } finally {
      await this.#open().setMtu(port, usualMtu);
    }
  };

  readonly pass = (seconds: number): Promise<void> => this.#open().pass(seconds);

  /** These VSIs, by their numbers, among the usual ports or others. */
  readonly set = (vsis: Record<number, VsiSpec>, others: Record<string, RelayPort> = ports): void =>
    this.apply(state(others, vsis));

  /** Sends one frame and states all that comes out. */
  readonly expect = async (
    port: string,
    frame: Uint8Array,
    out: Record<string, Uint8Array[]>,
  ): Promise<void> => {
    const got = await this.exchange(port, frame);
    const text = (frames: Iterable<[string, Uint8Array[]]>) =>
      Object.fromEntries(Array.from(frames, ([name, list]) => [name, list.map(hex).sort()]));
    assert.deepEqual(text(got), text(Object.entries(out)));
  };

  readonly dropped = (reason: DropReason, where: { port: string; vsi?: number }): number => {
    const counters = this.relay().counters();
    const tally =
      where.vsi === undefined
        ? counters.ports.get(where.port)
        : counters.vsis.get(idOf(where.vsi))?.get(where.port);
    return tally?.dropped[reason] ?? Number.NaN;
  };

  /** A test of what not every relay can do; that one which cannot refuses it, is a test of its own. */
  readonly itIfAble = (feature: Feature, what: string, body: () => Promise<void>): void => {
    void it(what, async () => {
      if (this.relay().capabilities.features.has(feature)) await body();
    });
  };

  /** Lets the event loop turn until something has happened that is under way, for five seconds at most. */
  readonly settle = async (done: () => boolean): Promise<void> => {
    for (const end = Date.now() + 5000; !done() && Date.now() < end;)
      await new Promise((resolve) => setImmediate(resolve));
  };

  #open(): Harness {
    assert.ok(this.#harness, 'the relay did not open');
    return this.#harness;
  }
}
