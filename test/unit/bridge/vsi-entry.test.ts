import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import type { FilterInfo } from '../../../src/domain/filter-info.ts';
import { parseMac } from '../../../src/domain/mac-address.ts';
import { plainForwarding } from '../../../src/domain/port-profile.ts';
import { parseProfileKey } from '../../../src/domain/profile-ref.ts';
import { nullVid, parseVid } from '../../../src/domain/vid.ts';
import { parseVsiId } from '../../../src/domain/vsi-id.ts';
import { filterOf, fromRelay, toRelay } from '../../../src/bridge/label.ts';
import { activate, detach, passages, places, reserve, type VsiEntry } from '../../../src/bridge/vsi-entry.ts';

const nobody: VsiEntry = {
  vsiId: parseVsiId('fa9b7fff-b0a0-4893-8e0e-beef4ff18f8f'),
  profile: parseProfileKey('dc1/17/1'),
  policy: { ...plainForwarding, vlan: parseVid(100), tenant: 'red' },
  addresses: [parseMac('52:54:00:00:00:0a')],
  ips: [],
  filterFormat: 'mac-vid',
  group: null,
  pcp: null,
  attachments: new Map(),
  active: null,
};
const at = (port: string) => ({ port, wireVid: nullVid });
const running = activate(nobody, 'p1', nullVid);
const rr = 'pre-associated with resource reservation';
const prepared = reserve(running, 'p2', nullVid, rr);
const moved = activate(prepared, 'p2', nullVid);

test('a migration passes ready, active and release', () => {
  assert.deepEqual(passages(null, running), []);
  assert.deepEqual(places(prepared), { active: at('p1'), armed: at('p2'), released: null });
  assert.deepEqual(passages(running, prepared), [{ moment: 'ready', source: 'p1', destination: 'p2' }]);
  assert.deepEqual(places(moved), { active: at('p2'), armed: null, released: at('p1') });
  assert.deepEqual(passages(prepared, moved), [{ moment: 'active', source: 'p1', destination: 'p2' }]);
  const done = detach(moved, 'p1')!;
  assert.deepEqual(places(done), { active: at('p2'), armed: null, released: null });
  assert.deepEqual(passages(moved, done), [{ moment: 'release', source: 'p1', destination: 'p2' }]);
});

test('a migration that is given up before the cut-over leaves the source as it was', () => {
  const aborted = detach(prepared, 'p2')!;
  assert.deepEqual(aborted, running);
  assert.deepEqual(passages(prepared, aborted), [{ moment: 'abort', source: 'p1', destination: 'p2' }]);
  assert.deepEqual(detach(aborted, 'p2'), running, 'abort is idempotent');
});

test('a migration that fails after the cut-over goes back to the source', () => {
  const back = detach(moved, 'p2')!;
  assert.deepEqual(back, running);
  assert.deepEqual(passages(moved, back), [{ moment: 'abort', source: 'p1', destination: 'p2' }]);
});

test('a source that lets go first leaves the destination armed until it associates', () => {
  const orphaned = detach(prepared, 'p1')!;
  assert.deepEqual(places(orphaned), { active: null, armed: at('p2'), released: null });
  const arrived = activate(orphaned, 'p2', nullVid);
  assert.deepEqual(
    passages(orphaned, arrived).map(({ moment }) => moment),
    ['active', 'release'],
  );
});

test('the last announced destination counts', () => {
  const elsewhere = reserve(prepared, 'p3', nullVid, 'pre-associated');
  assert.deepEqual(places(elsewhere), { active: at('p1'), armed: at('p3'), released: null });
});

test('a source that has not let go yet can be prepared again', () => {
  const back = reserve(moved, 'p1', nullVid, rr);
  assert.deepEqual(places(back), { active: at('p2'), armed: at('p1'), released: null });
  assert.deepEqual(passages(moved, back), [{ moment: 'ready', source: 'p2', destination: 'p1' }]);
});

test('a wire VID is settled by the first request at a port', () => {
  const asked = activate(reserve(nobody, 'p1', nullVid, rr), 'p1', parseVid(100));
  assert.deepEqual(places(asked).active, at('p1'));
});

test('whatever is asked in whatever order, there is at most one place of each kind, and the data plane keeps all of it', () => {
  const steps = fc.array(
    fc.record({
      step: fc.constantFrom('reserve', 'activate', 'detach'),
      port: fc.constantFrom('p1', 'p2', 'p3', 'p4'),
    }),
    { maxLength: 30 },
  );
  fc.assert(
    fc.property(steps, (list) => {
      let entry: VsiEntry | null = nobody;
      for (const { step, port } of list) {
        const before: VsiEntry = entry ?? nobody;
        if (step === 'detach') entry = detach(before, port);
        else
          entry = step === 'reserve' ? reserve(before, port, nullVid, rr) : activate(before, port, nullVid);
        if (!entry) continue;
        const { active, armed, released } = places(entry);
        const shown = [active, armed, released].filter((place) => place !== null);
        assert.equal(shown.length, entry.attachments.size, 'every attachment is a place');
        assert.equal(new Set(shown.map((place) => place.port)).size, shown.length);
        if (step === 'reserve') assert.equal(active?.port ?? null, before.active, 'reserve moves nothing');
        if (step === 'activate') assert.equal(active?.port, port);
        const restored = fromRelay(entry.vsiId, toRelay(entry));
        assert.deepEqual(places(restored), places(entry));
        assert.deepEqual(new Set(restored.attachments), new Set(entry.attachments));
        assert.deepEqual({ ...restored, attachments: 0 }, { ...entry, attachments: 0 });
      }
    }),
  );
});

test('what a station may renew after a restart of the agent is what it was granted, in every format', () => {
  const [mac] = nobody.addresses;
  assert.ok(mac);
  for (const vid of [nullVid, parseVid(100)]) {
    const filters: readonly FilterInfo[] = [
      { format: 'vid', entries: [{ vid }] },
      { format: 'mac-vid', entries: [{ vid, mac }] },
      { format: 'group-vid', entries: [{ vid, group: 7 }] },
      { format: 'group-mac-vid', entries: [{ vid, group: 7, mac }] },
      { format: 'vid', entries: [{ vid, pcp: 5 }] },
    ];
    for (const filter of filters) {
      const { group = null, pcp = null } = filter.entries[0]!;
      const entry = activate({ ...nobody, filterFormat: filter.format, group, pcp }, 'p1', vid);
      const restored = fromRelay(entry.vsiId, toRelay(entry));
      assert.deepEqual(filterOf(restored, restored.attachments.get('p1')!), filter);
    }
  }
});

test('the order of the addresses survives a data plane that keeps none', () => {
  const many = Array.from({ length: 64 }, (_, i) => parseMac(`52:54:00:00:00:${(i + 16).toString(16)}`));
  fc.assert(
    fc.property(fc.shuffledSubarray(many, { minLength: 1 }), (addresses) => {
      const entry = activate({ ...nobody, addresses }, 'p1', nullVid);
      const held = toRelay(entry);
      assert.ok(held.label.length <= 255);
      const restored = fromRelay(entry.vsiId, { ...held, addresses: held.addresses.toSorted() });
      assert.deepEqual(restored.addresses, addresses);
    }),
  );
});
