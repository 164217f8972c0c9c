import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BridgePortOutput } from '../../../src/protocol/bridge-port.ts';
import { Driver, type Machine } from '../../../src/protocol/driver.ts';
import { noHold } from '../../../src/protocol/vdp/hold.ts';
import { bridgePort, stationMac, vsi } from '../../kit/protocol/fixtures.ts';
import { asked, Peer, sent, stationEvb } from '../../kit/protocol/peer.ts';

/** A process whose timers fire when it runs, and which does not always run. */
class Process {
  now = 0;
  #timers: { readonly at: number; readonly action: () => void }[] = [];

  readonly clock = {
    now: () => this.now,
    at: (at: number, action: () => void) => {
      const timer = { at, action };
      this.#timers.push(timer);
      return () => void (this.#timers = this.#timers.filter((other) => other !== timer));
    },
  };

  runUntil(end: number): void {
    for (;;) {
      const next = this.#timers.toSorted((a, b) => a.at - b.at)[0];
      if (!next || next.at > end) break;
      this.#timers = this.#timers.filter((timer) => timer !== next);
      this.now = Math.max(this.now, next.at);
      next.action();
    }
    this.now = end;
  }

  /** It is stopped, and runs again from `now` on. */
  sleepUntil(now: number): void {
    this.now = now;
    this.runUntil(now);
  }
}

test('a timer that is late reads first what came, and one that is not reads nothing', () => {
  const did: string[] = [];
  const process = new Process();
  let due: number | null = 100;
  const machine: Machine<string> = {
    receive: () => ['received'],
    tick: (now) => {
      due = now < 1000 ? 1000 : null;
      return [`tick at ${now}`];
    },
    deadline: () => due,
  };
  const driver: Driver<typeof machine, string> = new Driver(
    machine,
    process.clock,
    (output) => did.push(output),
    () => {
      did.push('reads');
      driver.receive(new Uint8Array());
    },
  );
  driver.do(() => []);
  process.runUntil(100);
  assert.deepEqual(did.splice(0), ['tick at 100']);
  process.sleepUntil(1500);
  assert.deepEqual(did.splice(0), ['reads', 'received', 'tick at 1500']);
});

test('a bridge that was stopped releases none whose renewals wait in its socket, however short it was late', () => {
  const station = new Peer(stationMac);
  for (const wokenBy of [25, 500, 2_000, 30_000]) {
    const process = new Process();
    const socket: Uint8Array[] = [];
    const told: BridgePortOutput[] = [];
    const driver: Driver<ReturnType<typeof bridgePort>, BridgePortOutput> = new Driver(
      bridgePort({ vsiHold: noHold }),
      process.clock,
      (output) => told.push(output),
      () => {
        for (const frame of socket.splice(0)) driver.receive(frame);
      },
    );
    driver.do((machine, now) => machine.linkUp(now));
    driver.receive(station.lldp(stationEvb));
    process.runUntil(9_500);
    driver.receive(station.lldp(stationEvb));
    process.runUntil(10_000);
    driver.receive(station.ecp(1, [asked('associate', vsi(1))]));
    const request = told.find((output) => output.kind === 'request');
    assert.ok(request?.kind === 'request');
    driver.do((machine, now) => machine.answer(request.token, { kind: 'accept' }, now));
    for (const frame of sent(told)) if ('seq' in frame) driver.receive(station.ack(frame.seq));
    const { keepAliveSupervision } = driver.machine.state().timers;

    told.splice(0);
    socket.push(station.ecp(2, [asked('associate', vsi(1))]));
    process.sleepUntil(10_000 + keepAliveSupervision + wokenBy);
    assert.deepEqual(
      told.filter(({ kind }) => kind !== 'send').map(({ kind }) => kind),
      ['renewed'],
      `late by ${wokenBy} ms`,
    );
    assert.equal(driver.machine.state().vsis.length, 1);
  }
});
