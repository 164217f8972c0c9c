import assert from 'node:assert/strict';
import { test } from 'node:test';
import { closedPort, type PortAccess } from '../../../src/bridge/manager-route.ts';
import type { StackedLink } from '../../../src/linux/net/route.ts';

const link = (name: string, more: Partial<StackedLink> = {}): StackedLink => ({
  name,
  lower: null,
  master: null,
  vlan: null,
  ...more,
});
const links = [
  link('p1'),
  link('n1'),
  link('eth0'),
  link('n1.30', { lower: 'n1', vlan: 30 }),
  link('mv0', { lower: 'n1.30' }),
  link('br0'),
  link('n2', { master: 'br0' }),
  link('p2', { master: 'br0' }),
  link('br1'),
  link('p3', { master: 'br1' }),
  link('eth1', { master: 'br1' }),
];
const station = { kind: 'station' } as const;
const ports = (n1: Partial<Extract<PortAccess, { kind: 'network' }>> = {}) => ({
  p1: station,
  p2: station,
  p3: station,
  n1: { kind: 'network' as const, ...n1 },
  n2: { kind: 'network' as const, nativeVlan: 1 },
});

test('a port that is closed keeps frames from what is on it, whether a VLAN interface, or a bridge of such ports alone', () => {
  const closed = (name: string, n1 = {}) => closedPort(name, links, ports(n1));
  assert.equal(closed('eth0'), null);
  assert.deepEqual(closed('p1'), { port: 'p1', vlan: null });
  assert.deepEqual(closed('n1'), { port: 'n1', vlan: null });
  assert.deepEqual(closed('n1', { nativeVlan: 10 }), { port: 'n1', vlan: 10 });
  assert.deepEqual(closed('n1', { nativeVlan: 10, hostVlan: 30 }), { port: 'n1', vlan: 10 });
  assert.equal(closed('n1', { nativeVlan: 10, hostVlan: 10 }), null);
  assert.deepEqual(closed('n1.30', { nativeVlan: 10, hostVlan: 10 }), { port: 'n1', vlan: 30 });
  assert.equal(closed('n1.30', { hostVlan: 30 }), null);
  assert.equal(closed('mv0', { hostVlan: 30 }), null);
  assert.deepEqual(closed('br0'), { port: 'n2', vlan: 1 });
  assert.equal(closed('br1'), null, 'one of its members is no port');
});
