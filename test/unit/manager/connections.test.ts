import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { describe, it } from 'node:test';
import { addressKey, Connections } from '../../../src/manager/http/connections.ts';
import { tcpQuotas } from '../../../src/manager/http/gate.ts';
import { running } from '../../kit/manager/support.ts';

function book(total: number, unproven: number, proven: number) {
  const dropped: number[] = [];
  return { dropped, book: new Connections<number>({ total, unproven, proven }, (c) => dropped.push(c)) };
}

describe('the book of connections', () => {
  it('lets the oldest silent one of an address make room for its newest', () => {
    const { book: connections, dropped } = book(10, 2, 2);
    for (const c of [1, 2, 3, 4]) assert.equal(connections.opened(c, 'a'), true);
    assert.deepEqual(dropped, [1, 2]);
  });

  it('never closes one that has shown who it is, and lets others in while a flood comes', () => {
    const { book: connections, dropped } = book(10, 6, 2);
    connections.opened(1, 'a');
    assert.equal(connections.proves(1), true);
    for (let c = 100; c < 200; c++) assert.equal(connections.opened(c, 'a'), true);
    assert.equal(connections.opened(2, 'b'), true);
    assert.equal(connections.proves(2), true);
    for (let c = 200; c < 300; c++) assert.equal(connections.opened(c, `flood ${c % 7}`), true);
    assert.equal(connections.opened(3, 'a'), true);
    assert.equal(connections.proves(3), true);
    assert(!dropped.some((c) => c < 100), 'somebody who was known was closed');
  });

  it('bounds what one address may prove', () => {
    const { book: connections } = book(10, 6, 2);
    for (const c of [1, 2, 3]) connections.opened(c, 'a');
    assert.deepEqual(
      [1, 2, 3].map((c) => connections.proves(c)),
      [true, true, false],
    );
    connections.closed(1);
    assert.equal(connections.proves(3), true);
  });

  it('refuses where all have shown who they are, and there is no room', () => {
    const { book: connections } = book(2, 2, 2);
    for (const c of [1, 2]) {
      connections.opened(c, 'a');
      connections.proves(c);
    }
    assert.equal(connections.opened(3, 'b'), false);
  });

  it('takes an IPv6 network of 64 bits for one address', () => {
    assert.equal(addressKey('2001:db8:1:2:3:4:5:6'), addressKey('2001:db8:1:2::9'));
    assert.notEqual(addressKey('2001:db8:1:2::9'), addressKey('2001:db8:1:3::9'));
    assert.equal(addressKey('2001:db8::9'), '2001:db8:0:0');
    assert.equal(addressKey('::ffff:10.0.0.1'), '10.0.0.1');
    assert.equal(addressKey('::1'), '0:0:0:0');
  });

  it('leaves files for the others that the process opens', () => {
    assert.deepEqual(tcpQuotas('Max open files            524288               524288     files'), {
      total: 8192,
      unproven: 4096,
      proven: 2048,
    });
    assert.equal(tcpQuotas('Max open files            1024    4096     files').total, 512);
    assert.equal(tcpQuotas('').total, 8192);
  });
});

describe('a manager', () => {
  it('ends a connection that says nothing within seconds', async () => {
    await using run = await running({ token: 'correct-horse' });
    const { hostname, port } = new URL(run.url);
    const silent = connect(Number(port), hostname);
    const half = connect(Number(port), hostname);
    half.write('GET /v1/vsis HTTP/1.1\r\nHost: 127.0.0.1\r\n');
    const ended = (socket: Socket) => once(socket.resume(), 'close');
    const began = Date.now();
    await Promise.all([ended(silent), ended(half)]);
    assert(Date.now() - began < 15_000);
  });
});
