import assert from 'node:assert/strict';
import { test } from 'node:test';
import { activeNetworkPorts, takenOver } from '../../../src/bridge/core/network-ports.ts';
import type { RelayPort } from '../../../src/relay/contract/relay.ts';
import { network } from '../../kit/relay/states.ts';

const ports = new Map<string, RelayPort>([
  ['s1', { kind: 'station', reflectiveRelay: true }],
  ['n1', network(10, 20)],
  ['n2', network(null, 10, 20, 30)],
  ['m1', { kind: 'mirror', session: 'tap' }],
]);
const of = (up: readonly string[], before?: ReturnType<typeof activeNetworkPorts>) =>
  activeNetworkPorts(ports, (name) => up.includes(name), before);
const text = (active: ReturnType<typeof of>) =>
  [...active]
    .toSorted(([a], [b]) => a - b)
    .map(([vlan, port]) => `${vlan} ${port}`)
    .join(', ');

test('each VLAN has one active network port: the first that is up', () => {
  assert.equal(text(of(['n1', 'n2'])), '10 n1, 20 n1, 30 n2');
  assert.equal(text(of(['n2'])), '10 n2, 20 n2, 30 n2');
  assert.equal(text(of(['n1'])), '10 n1, 20 n1, 30 n2');
});

test('what is active stays so while it is up, and where none is', () => {
  const second = of(['n2'], of(['n1', 'n2']));
  assert.equal(text(second), '10 n2, 20 n2, 30 n2');
  assert.deepEqual(takenOver(of(['n1', 'n2']), second), new Map([['n2', [10, 20]]]));
  assert.deepEqual(of(['n1', 'n2'], second), second, 'the first is back');
  assert.deepEqual(of([], second), second, 'none is up');
  assert.equal(text(of(['n1'], second)), '10 n1, 20 n1, 30 n2');
  assert.equal(takenOver(new Map(), second).size, 0, 'a first one takes nothing over');
});

test('a port that is gone from the configuration leaves its VLANs to the others', () => {
  const { n2 } = Object.fromEntries(ports);
  assert.equal(
    text(activeNetworkPorts(new Map([['n2', n2!]]), () => false, of(['n1', 'n2']))),
    '10 n2, 20 n2, 30 n2',
  );
});
