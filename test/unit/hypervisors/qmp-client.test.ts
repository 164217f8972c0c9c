import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import * as fc from 'fast-check';
import { lineSplitter } from '../../../src/hypervisors/qemu/json-lines.ts';
import { QmpClient, QmpError } from '../../../src/hypervisors/qemu/qmp-client.ts';
import { decodeQmp, type QmpEvent } from '../../../src/hypervisors/qemu/qmp-message.ts';
import { FakeMonitor, Refusal, scratch, type Answer } from '../../kit/hypervisors/fake-monitor.ts';

let place: ReturnType<typeof scratch>;
let monitor: FakeMonitor | undefined;

beforeEach(() => (place = scratch()));
afterEach(async () => {
  await monitor?.close();
  monitor = undefined;
  place.remove();
});

async function serve(answer?: Answer, greets?: boolean): Promise<FakeMonitor> {
  return (monitor = await FakeMonitor.listen(place.file('m'), answer, greets));
}

function ending(): { onClose: (reason: QmpError | null) => void; closed: Promise<QmpError | null> } {
  let onClose!: (reason: QmpError | null) => void;
  const closed = new Promise<QmpError | null>((resolve) => (onClose = resolve));
  return { onClose, closed };
}

test('greets, negotiates, answers, refuses, closes', async () => {
  const fake = await serve((command) => (command === 'bad' ? new Refusal('no such thing') : { command }));
  const { onClose, closed } = ending();
  const qmp = await QmpClient.connect(fake.path, { onClose });
  assert.deepEqual(await qmp.execute('query-status'), { command: 'query-status' });
  await assert.rejects(qmp.execute('bad'), { name: 'QmpError', kind: 'refusal', message: /no such thing/ });
  qmp.close();
  assert.equal(await closed, null);
  await assert.rejects(qmp.execute('query-status'), /connection has ended/);
  assert.deepEqual(fake.commands, ['qmp_capabilities', 'query-status', 'bad']);
});

test('an event is told with its time in microseconds', async () => {
  const fake = await serve();
  const event = new Promise<QmpEvent>((resolve) => {
    void QmpClient.connect(fake.path, { onEvent: resolve }).then(() =>
      fake.event('MIGRATION', { status: 'setup' }),
    );
  });
  assert.deepEqual(await event, { name: 'MIGRATION', data: { status: 'setup' }, at: 1_700_000_000_000_005 });
});

test('garbage ends the connection with one line that names the socket', async () => {
  const fake = await serve((command) => (command === 'hang' ? undefined : {}));
  const { onClose, closed } = ending();
  const qmp = await QmpClient.connect(fake.path, { onClose });
  const pending = assert.rejects(qmp.execute('hang'), { kind: 'connection' });
  fake.say('HTTP/1.1 400 Bad Request\r\n');
  await pending;
  assert.equal((await closed)?.message, `${fake.path}: not QMP: "HTTP/1.1 400 Bad Request\\r"`);
});

test('a line without end is not held for ever', async () => {
  const fake = await serve();
  const { onClose, closed } = ending();
  await QmpClient.connect(fake.path, { onClose });
  fake.say('x'.repeat(3 << 20));
  assert.match((await closed)!.message, /a line of more than/);
});

test('the end of QEMU rejects what is under way', async () => {
  const fake = await serve((command) => (command === 'hang' ? undefined : {}));
  const { onClose, closed } = ending();
  const qmp = await QmpClient.connect(fake.path, { onClose });
  const pending = assert.rejects(qmp.execute('hang'), {
    kind: 'connection',
    message: /closed by QEMU|ECONNRESET/,
  });
  fake.hangUp();
  await pending;
  assert.match((await closed)!.message, /closed by QEMU|ECONNRESET/);
});

test('a command without an answer times out; a late answer is nobody else’s', async () => {
  const fake = await serve((command) => (command === 'hang' ? undefined : { command }));
  const qmp = await QmpClient.connect(fake.path, { timeoutMs: 200 });
  await assert.rejects(qmp.execute('hang'), { kind: 'timeout', message: /hang: no answer within 200 ms/ });
  fake.say('{"return":{"late":true},"id":2}\r\n');
  assert.deepEqual(await qmp.execute('query-status'), { command: 'query-status' });
  qmp.close();
});

test('a monitor that is held by another client says so', async () => {
  const fake = await serve(undefined, false);
  await assert.rejects(QmpClient.connect(fake.path, { timeoutMs: 20 }), {
    kind: 'timeout',
    message: /another client may hold this monitor/,
  });
});

test('a socket that is not there', async () => {
  await assert.rejects(QmpClient.connect(place.file('none')), { kind: 'connection', code: 'ENOENT' });
});

test('lines come out whole however they are cut', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ maxLength: 20 })), fc.array(fc.nat(30)), (texts, cuts) => {
      const lines = texts.map((text) => text.replaceAll('\n', ' '));
      let text = lines.map((line) => `${line}\n`).join('');
      const splitter = lineSplitter(100);
      const out: string[] = [];
      for (const cut of [...cuts, text.length]) {
        out.push(...splitter.push(text.slice(0, cut))!);
        text = text.slice(cut);
      }
      out.push(...splitter.push(text)!);
      assert.deepEqual(out, lines);
    }),
  );
});

test('no text throws past the decoder', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
      decodeQmp(text);
    }),
  );
});

test('QEMU says -1 where it has no time', () => {
  const message = decodeQmp('{"event":"STOP","timestamp":{"seconds":-1,"microseconds":-1}}');
  assert.deepEqual(message, { kind: 'event', event: { name: 'STOP', data: {}, at: null } });
});
