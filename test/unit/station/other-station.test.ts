import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasOtherStation } from '../../../src/station/other-station.ts';

/** As /proc/net/packet has it. */
const list = (...rows: readonly string[]) =>
  ['sk       RefCnt Type Proto  Iface R Rmem   User   Inode', ...rows, ''].join('\n');
const own = '0000000000000000 3      3    0003   2     1 0      0      31337';
const ecp = '0000000000000000 3      3    8940   2     1 0      0      31338';
const draftEcp = '0000000000000000 3      3    88b7   3     1 0      0      31339';
const lldp = '0000000000000000 3      3    88cc   4     1 0      0      31340';

test('a packet socket for ECP on the uplink is another station, and none for everything or LLDP', () => {
  const all = list(own, ecp, draftEcp, lldp);
  assert.deepEqual(
    [2, 3, 4, 5].map((index) => hasOtherStation(index, all)),
    [true, true, false, false],
  );
  assert.equal(hasOtherStation(2, list(own)), false);
  assert.equal(hasOtherStation(2, ''), false);
});
