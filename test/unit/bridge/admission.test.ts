import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FilterInfo } from '../../../src/domain/filter-info.ts';
import { parseMac, type MacAddress } from '../../../src/domain/mac-address.ts';
import { policyOf, type PortProfile } from '../../../src/domain/port-profile.ts';
import { parseProfileKey } from '../../../src/domain/profile-ref.ts';
import { nullVid, parseVid, type Vid } from '../../../src/domain/vid.ts';
import { admit, feasible, policyFor, type Application } from '../../../src/bridge/core/admission.ts';
import type { Grant } from '../../../src/domain/vsi.ts';
import { profile, web1 } from '../../kit/bridge/network.ts';

const mac = web1.macs[0]!;
const grant: Grant = { ...web1, hosts: ['h1', 'h2'] };
const entry = (vid: number, address = mac) => ({ mac: address, vid: vid as Vid });
const asked: Application = {
  vsiId: grant.vsiId,
  profile: profile.ref,
  filter: { format: 'mac-vid', entries: [{ mac, vid: nullVid }] },
  station: { name: 'h1' },
};

test('what the database grants is admitted, and the null VID is answered as it came', () => {
  assert.deepEqual(admit(asked, grant, profile), {
    admitted: true,
    profile,
    policy: policyOf(profile),
    addresses: [mac],
    ips: [],
    wireVid: nullVid,
    filter: asked.filter,
  });
});

test('a profile whose frames are tagged answers the null VID with its VLAN', () => {
  const tagged = { ...profile, tagged: true };
  const filter = { format: 'mac-vid', entries: [{ mac, vid: parseVid(100) }] } as const;
  const expected = { ...admit({ ...asked, filter }, grant, tagged), filter };
  assert.ok(expected.admitted && expected.wireVid === 100);
  assert.deepEqual(admit(asked, grant, tagged), expected);
  const group = { format: 'group-vid', entries: [{ vid: nullVid, group: 7, pcp: 3 }] } as const;
  const admission = admit({ ...asked, filter: group }, grant, tagged);
  assert.ok(admission.admitted);
  assert.deepEqual(admission.filter.entries, [{ vid: 100, group: 7, pcp: 3 }]);
});

test('a VID that the profile has is carried on the wire', () => {
  const filter = { format: 'mac-vid', entries: [{ mac, vid: parseVid(100) }] } as const;
  const admission = admit({ ...asked, filter }, grant, profile);
  assert.ok(admission.admitted && admission.wireVid === 100);
});

test('every format is granted the addresses of the database, those that it names first, and answered as it asked', () => {
  const second = parseMac('52:54:00:00:00:0c');
  const wide = { ...grant, macs: [mac, second] };
  const vid = parseVid(100);
  const cases: [FilterInfo, readonly MacAddress[]][] = [
    [{ format: 'vid', entries: [{ vid: nullVid }] }, [mac, second]],
    [{ format: 'vid', entries: [{ vid, pcp: 5 }] }, [mac, second]],
    [{ format: 'mac-vid', entries: [{ vid: nullVid, mac: second }] }, [second, mac]],
    [
      {
        format: 'mac-vid',
        entries: [
          { vid, mac: second },
          { vid, mac },
        ],
      },
      [second, mac],
    ],
    [{ format: 'group-vid', entries: [{ vid: nullVid, group: 7 }] }, [mac, second]],
    [{ format: 'group-mac-vid', entries: [{ vid: nullVid, group: 7, mac }] }, [mac, second]],
  ];
  for (const [filter, addresses] of cases) {
    const admission = admit({ ...asked, filter }, wide, profile);
    assert.ok(admission.admitted);
    assert.deepEqual(admission.addresses, addresses);
    assert.deepEqual(admission.filter, filter);
  }
});

test('the null VID is answered with the VLAN where the profile is tagged', () => {
  const admission = admit(asked, grant, { ...profile, tagged: true });
  assert.ok(admission.admitted);
  assert.equal(admission.wireVid, 100);
  assert.deepEqual(admission.filter.entries, [{ mac, vid: 100 }]);
});

const trunk: PortProfile = { ...profile, trunk: [parseVid(200), parseVid(300)] };

test('the entries of a trunk are answered as asked, however many of its VLANs they name', () => {
  for (const vids of [[0], [100], [0, 200], [300, 100, 200]]) {
    const filter: FilterInfo = { format: 'mac-vid', entries: vids.map((vid) => entry(vid)) };
    const admission = admit({ ...asked, filter }, grant, trunk);
    assert.ok(admission.admitted);
    assert.equal(admission.wireVid, vids.includes(0) ? 0 : 100);
    assert.deepEqual(admission.filter, filter);
    assert.deepEqual(admission.policy.trunk, [200, 300], 'all of it is granted');
    const tagged = admit({ ...asked, filter }, grant, { ...trunk, tagged: true });
    assert.ok(tagged.admitted);
    assert.deepEqual(
      tagged.filter.entries.map(({ vid }) => vid),
      vids.map((vid) => vid || 100),
    );
  }
});

test('the PCP of the VLAN that untagged frames are in is their priority, where the profile trusts it', () => {
  const filter = (...pcps: (number | undefined)[]): FilterInfo => ({
    format: 'mac-vid',
    entries: pcps.map((pcp, i) => ({ ...entry(i && 100 + 100 * i), ...(pcp !== undefined && { pcp }) })),
  });
  const marked: PortProfile = { ...trunk, marking: { dscp: 'trust', pcp: 3, defaultPcp: 2 } };
  const trusted: PortProfile = { ...marked, marking: { ...marked.marking, pcp: 'trust' } };
  assert.equal(policyFor(trusted, filter(5)).marking.defaultPcp, 5);
  assert.equal(policyFor(trusted, filter(5, 6)).marking.defaultPcp, 5, "the trunk's own is in its tags");
  assert.equal(policyFor(trusted, filter(undefined, 6)).marking.defaultPcp, 2);
  assert.equal(policyFor(marked, filter(5)).marking.defaultPcp, 2);
});

test('what the relay cannot do is refused as a want of resources, with the reason', () => {
  const guarded: PortProfile = { ...trunk, guards: { ...trunk.guards, address: true } };
  const admission = admit(asked, { ...grant, ips: ['10.0.0.1'] }, guarded);
  assert.ok(admission.admitted);
  assert.deepEqual(admission.ips, ['10.0.0.1']);
  const able = { relay: 'slow', features: new Set(['trunk', 'address guard'] as const), rules: 64 };
  assert.equal(feasible(admission, able), admission);
  assert.deepEqual(feasible(admission, { ...able, features: new Set(['trunk'] as const) }), {
    admitted: false,
    code: 'insufficient resources',
    reason: 'the slow relay has no address guard',
  });
});

test('who is at the port is not asked where none was met there yet', () => {
  assert.ok(admit({ ...asked, station: null }, grant, profile).admitted);
});

const refusals: [string, Partial<Application>, Grant | undefined, PortProfile | undefined, string, RegExp][] =
  [
    ['an unknown VSI', {}, undefined, profile, 'other failure', /not in the manager's database/],
    [
      'another profile',
      { profile: parseProfileKey('dc1/17/2') },
      grant,
      profile,
      'other failure',
      /its profile is dc1\/17\/1/,
    ],
    ['a profile without settings', {}, grant, undefined, 'other failure', /profile dc1\/17\/1 is not/],
    [
      'another host',
      { station: { name: 'h3' } },
      grant,
      profile,
      'other failure',
      /may not appear at station h3; h1 or h2 would be right$/,
    ],
    ['a station without a name', { station: { name: null } }, grant, profile, 'other failure', /\(unnamed\)/],
    [
      'another VLAN',
      { filter: { format: 'mac-vid', entries: [entry(200)] } },
      grant,
      profile,
      'invalid VID, GroupID or MAC address',
      /VLAN 200; its profile has 100/,
    ],
    [
      'VLANs that differ',
      { filter: { format: 'mac-vid', entries: [entry(0), entry(100)] } },
      grant,
      profile,
      'invalid VID, GroupID or MAC address',
      /VLAN 0, 100/,
    ],
    [
      "VLANs beside the trunk's",
      { filter: { format: 'mac-vid', entries: [entry(0), entry(200), entry(400)] } },
      grant,
      trunk,
      'invalid VID, GroupID or MAC address',
      /VLAN 0, 200, 400; its profile has 100, and besides it 200, 300$/,
    ],
    [
      "the trunk's VLANs alone",
      { filter: { format: 'mac-vid', entries: [entry(200)] } },
      grant,
      trunk,
      'invalid VID, GroupID or MAC address',
      /VLAN 200; its profile has 100, and besides it 200, 300$/,
    ],
    [
      'an entry twice',
      { filter: { format: 'mac-vid', entries: [entry(0), entry(0)] } },
      grant,
      profile,
      'invalid VID, GroupID or MAC address',
      /the same frames twice/,
    ],
    [
      "another VM's address",
      { filter: { format: 'mac-vid', entries: [entry(0, parseMac('52:54:00:00:00:0b'))] } },
      grant,
      profile,
      'invalid VID, GroupID or MAC address',
      /52:54:00:00:00:0b is not VSI/,
    ],
    [
      'more than one group',
      {
        filter: {
          format: 'group-vid',
          entries: [
            { vid: nullVid, group: 7 },
            { vid: nullVid, group: 8 },
          ],
        },
      },
      grant,
      profile,
      'invalid VID, GroupID or MAC address',
      /groups 7, 8; it can be in one/,
    ],
  ];

for (const [what, change, granted, settings, code, reason] of refusals)
  test(`${what} is refused with its code and the reason`, () => {
    const admission = admit({ ...asked, ...change }, granted, settings);
    assert.ok(!admission.admitted);
    assert.equal(admission.code, code);
    assert.match(admission.reason, reason);
  });

test('a host is one by whichever of its names it goes: without case, short or with its domain', () => {
  const at = (hosts: string[], name: string) => {
    const admission = admit({ ...asked, station: { name } }, { ...grant, hosts }, profile);
    return admission.admitted ? 'granted' : admission.reason.replace(/^VSI \S+ /, '');
  };
  for (const name of ['host7', 'HOST7', 'host7.example.com', 'Host7.Example.Com.'])
    assert.equal(at(['host7'], name), 'granted', name);
  assert.equal(at(['host7.example.com'], 'host7'), 'granted');
  assert.equal(
    at(['host7.example.com'], 'host7.example.org'),
    'may not appear at station host7.example.org; host7.example.com would be right',
  );
  assert.equal(
    at(['host7', 'host8'], 'host77'),
    'may not appear at station host77; host7 or host8 would be right',
  );
  assert.equal(at([], 'host7'), 'may not appear at station host7; its list of hosts is empty');
  assert.match(
    at(['a', 'b', 'c', 'd', 'e', 'f'], 'x'),
    /a or b or c or d or one of 2 others would be right$/,
  );
});
