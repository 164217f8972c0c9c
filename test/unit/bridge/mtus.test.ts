import assert from 'node:assert/strict';
import { test } from 'node:test';
import { differingMtus } from '../../../src/bridge/core/mtus.ts';

test('ports with different MTUs are named, the longest first', () => {
  const ports = [
    { name: 'p1', mtu: 1500 },
    { name: 'p2', mtu: 9000 },
    { name: 'p3', mtu: 1500 },
    { name: 'late', mtu: undefined },
  ];
  assert.equal(
    differingMtus(ports),
    'ports have different MTUs: p2 9000; p1, p3 1500. Frames longer than the MTU of the port that they leave by are dropped as mtu',
  );
  assert.equal(differingMtus(ports.filter(({ mtu }) => mtu !== 9000)), null);
  assert.equal(differingMtus([]), null);
});
