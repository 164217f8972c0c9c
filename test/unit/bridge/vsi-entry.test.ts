import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import type { FilterInfo } from '../../../src/domain/filter-info.ts';
import { parseMac } from '../../../src/domain/mac-address.ts';
import { plainForwarding } from '../../../src/domain/port-profile.ts';
import { parseProfileKey } from '../../../src/domain/profile-ref.ts';
import { nullVid, parseVid } from '../../../src/domain/vid.ts';
import { parseVsiId } from '../../../src/domain/vsi-id.ts';
import { atPlace, filterOf, fromRelay, toRelay } from '../../../src/bridge/core/label.ts';
import { passages } from '../../../src/bridge/core/passages.ts';
import {
  activate,
  detach,
  flip,
  flipCauses,
  isConfirmedBy,
  places,
  reserve,
  undo,
  type VsiEntry,
} from '../../../src/bridge/core/vsi-entry.ts';

const nobody: VsiEntry = {
  vsiId: parseVsiId('fa9b7fff-b0a0-4893-8e0e-beef4ff18f8f'),
  profile: parseProfileKey('dc1/17/1'),
  policy: { ...plainForwarding, vlan: parseVid(100), tenant: 'red' },
  addresses: [parseMac('52:54:00:00:00:0a')],
  ips: [],
  filter: { format: 'mac-vid', entries: [{ vid: nullVid, mac: parseMac('52:54:00:00:00:0a') }] },
  attachments: new Map(),
  active: null,
  flip: null,
  tally: null,
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

test('what is associated again where it is active moves nothing', () => {
  assert.deepEqual(activate(moved, 'p2', nullVid), moved);
  assert.deepEqual(activate(prepared, 'p1', nullVid), prepared);
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

const flipped = flip(prepared, 'stop');
const momentsOf = (before: VsiEntry, after: VsiEntry | null) =>
  passages(before, after).map(({ moment, source, destination }) => `${moment} ${source} ${destination}`);

test('a flip is provisional until the destination associates', () => {
  assert.deepEqual(places(flipped), places(moved));
  assert.deepEqual(momentsOf(prepared, flipped), ['flip p1 p2']);
  assert.ok(isConfirmedBy(flipped, 'p2') && !isConfirmedBy(flipped, 'p1') && !isConfirmedBy(moved, 'p2'));
  const confirmed = activate(flipped, 'p2', nullVid);
  assert.deepEqual(confirmed, moved);
  assert.deepEqual(momentsOf(flipped, confirmed), ['active p1 p2']);
  assert.deepEqual(flip(running, 'stop'), running, 'nothing is armed');
  assert.deepEqual(flip(flipped, 'left'), flipped, 'it is made already');
});

test('a flip is undone into what was before; one that is confirmed is not', () => {
  assert.deepEqual(undo(flipped), prepared);
  assert.deepEqual(momentsOf(flipped, prepared), ['undo p1 p2']);
  assert.deepEqual(undo(moved), moved);
  assert.deepEqual(detach(flipped, 'p2'), running);
  assert.deepEqual(momentsOf(flipped, running), ['undo p1 p2', 'abort p1 p2']);
});

test('what happens elsewhere undoes a flip: an association at the source, or at a third port, or another destination', () => {
  assert.deepEqual(activate(flipped, 'p1', nullVid), prepared);
  const third = activate(flipped, 'p3', nullVid);
  assert.deepEqual(places(third), { active: at('p3'), armed: null, released: at('p1') });
  const another = reserve(flipped, 'p3', nullVid, rr);
  assert.deepEqual(places(another), { active: at('p1'), armed: at('p3'), released: null });
  assert.deepEqual(reserve(flipped, 'p2', nullVid, rr), flipped, 'a renewal moves nothing');
});

test('a source that lets go activates the only armed place; of a VM that was heard there it is the second word', () => {
  const left = flip(detach(prepared, 'p1')!, 'left');
  assert.deepEqual(places(left), { active: at('p2'), armed: null, released: null });
  assert.deepEqual(momentsOf(prepared, left), ['flip p1 p2', 'release p1 p2']);
  assert.deepEqual(momentsOf(left, activate(left, 'p2', nullVid)), ['active null p2']);
  const heard = flip(prepared, 'announcement');
  const settled = detach(heard, 'p1')!;
  assert.equal(settled.flip, null);
  assert.deepEqual(momentsOf(heard, settled), ['active p1 p2', 'release p1 p2']);
  assert.equal(detach(flipped, 'p1')!.flip, 'stop');
});

test('the wire VID is the one that was granted last', () => {
  const asked = activate(reserve(nobody, 'p1', nullVid, rr), 'p1', parseVid(100));
  assert.deepEqual(places(asked).active, { port: 'p1', wireVid: 100 });
});

test('the data plane keeps what was counted before a migration, as far as it has room', () => {
  const tally = new Map([
    ['p1', { fromVm: 123_456, toVm: 2 ** 40, dropped: { 'access-list': 5, moved: 36 } }],
    ['a=b;c', { fromVm: 0, toVm: 0, dropped: {} }],
  ]);
  const counted = (tally: VsiEntry['tally']) =>
    fromRelay(nobody.vsiId, toRelay({ ...prepared, tally })).tally;
  assert.deepEqual(counted(tally), tally);
  const many = Array.from(
    { length: 40 },
    (_, i) => [`port-${i}`, { fromVm: 1, toVm: 1, dropped: {} }] as const,
  );
  assert.equal(counted(new Map(many)), null);
});

test('whatever is asked in whatever order, there is at most one place of each kind, and the data plane keeps all of it', () => {
  const steps = fc.array(
    fc.record({
      step: fc.constantFrom('reserve', 'activate', 'detach', 'flip', 'undo'),
      cause: fc.constantFrom(...flipCauses),
      port: fc.constantFrom('p1', 'p2', 'p3', 'p4'),
    }),
    { maxLength: 30 },
  );
  fc.assert(
    fc.property(steps, (list) => {
      let entry: VsiEntry | null = nobody;
      for (const { step, port, cause } of list) {
        const before: VsiEntry = entry ?? nobody;
        if (step === 'detach') entry = detach(before, port);
        else if (step === 'flip') entry = flip(before, cause);
        else if (step === 'undo') entry = undo(before);
        else
          entry = step === 'reserve' ? reserve(before, port, nullVid, rr) : activate(before, port, nullVid);
        if (!entry) continue;
        const { active, armed, released } = places(entry);
        const shown = [active, armed, released].filter((place) => place !== null);
        assert.equal(shown.length, entry.attachments.size, 'every attachment is a place');
        assert.equal(new Set(shown.map((place) => place.port)).size, shown.length);
        const here = entry.active === null ? null : entry.attachments.get(entry.active)!.association;
        assert.equal(
          entry.flip !== null,
          here !== null && here !== 'associated',
          'provisional is pre-associated',
        );
        if (step === 'reserve' && !before.flip)
          assert.equal(active?.port ?? null, before.active, 'reserve moves nothing');
        if (step === 'flip' && before.active !== entry.active) {
          assert.equal(released?.port ?? null, before.active, 'a flip keeps the source');
          const { active, armed } = places(before);
          assert.deepEqual(places(undo(entry)), { active, armed, released: null });
        }
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
  const trunk = [200, 300].map(parseVid);
  const [first, second] = ['52:54:00:00:00:0b', '52:54:00:00:00:0a'].map(parseMac);
  assert.ok(first && second);
  for (const vid of [nullVid, parseVid(100)]) {
    const filters: readonly FilterInfo[] = [
      { format: 'vid', entries: [{ vid }] },
      { format: 'vid', entries: [{ vid: trunk[1]! }, { vid, pcp: 5 }] },
      { format: 'mac-vid', entries: [{ vid, mac: first }] },
      { format: 'mac-vid', entries: [first, second].map((mac) => ({ vid, mac })) },
      { format: 'group-vid', entries: [{ vid, group: 0xffffffff }] },
      { format: 'group-mac-vid', entries: [{ vid, group: 7, mac: first }] },
      {
        format: 'group-mac-vid',
        entries: [
          { vid: trunk[0]!, group: 0, mac: second, pcp: 7 },
          { vid, group: 0, mac: first },
          { vid: trunk[1]!, group: 0, mac: first, pcp: 0 },
        ],
      },
    ];
    for (const filter of filters) {
      const named = [...new Set(filter.entries.flatMap(({ mac }) => mac ?? []))];
      const entry = activate(
        {
          ...nobody,
          policy: { ...nobody.policy, trunk },
          addresses: named.length ? named : [first, second],
          filter: atPlace(filter, vid),
        },
        'p1',
        vid,
      );
      const restored = fromRelay(entry.vsiId, toRelay(entry));
      assert.deepEqual(restored, entry);
      assert.deepEqual(filterOf(restored, restored.attachments.get('p1')!), filter);
    }
  }
});

const many = Array.from({ length: 64 }, (_, i) => parseMac(`52:54:00:00:00:${(i + 16).toString(16)}`));

test('the order of the addresses survives a data plane that keeps none', () => {
  fc.assert(
    fc.property(fc.shuffledSubarray(many, { minLength: 1 }), fc.boolean(), (addresses, named) => {
      const filter: FilterInfo = named
        ? { format: 'mac-vid', entries: addresses.map((mac) => ({ vid: nullVid, mac })) }
        : { format: 'vid', entries: [{ vid: nullVid }] };
      const entry = activate({ ...nobody, addresses, filter }, 'p1', nullVid);
      const held = toRelay(entry);
      const restored = fromRelay(entry.vsiId, { ...held, addresses: held.addresses.toSorted() });
      assert.deepEqual(restored, entry);
    }),
  );
});

test('the longest entry has a label that every data plane keeps', () => {
  const trunk = Array.from({ length: 16 }, (_, i) => parseVid(4079 + i));
  const vids = [nullVid, ...trunk];
  const entry: VsiEntry = {
    ...nobody,
    profile: parseProfileKey(`0x${'ff'.repeat(16)}/16777215/255`),
    policy: { ...nobody.policy, trunk },
    addresses: many,
    filter: {
      format: 'group-mac-vid',
      entries: many.map((mac, i) => ({ vid: vids[i % 17]!, group: 0xffffffff, mac, pcp: i % 8 })),
    },
  };
  const held = toRelay(reserve(entry, 'p1', nullVid, rr));
  assert.ok(Buffer.byteLength(held.label) <= 255, held.label);
  assert.deepEqual(fromRelay(entry.vsiId, held).filter, entry.filter);
});
