import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FilterInfo } from '../../../src/domain/filter-info.ts';
import { parseMac, type MacAddress } from '../../../src/domain/mac-address.ts';
import type { PortProfile } from '../../../src/domain/port-profile.ts';
import { parseProfileKey } from '../../../src/domain/profile-ref.ts';
import { nullVid, parseVid } from '../../../src/domain/vid.ts';
import { admit, type Application, type Grant } from '../../../src/bridge/admission.ts';
import { profile, web1 } from './network.ts';

const mac = web1.macs[0]!;
const grant: Grant = { ...web1, hosts: ['h1', 'h2'] };
const asked: Application = {
  vsiId: grant.vsiId,
  profile: profile.ref,
  filter: { format: 'mac-vid', entries: [{ mac, vid: nullVid }] },
  station: 'h1',
};

test('what the database grants is admitted, and the null VID is answered as it came', () => {
  assert.deepEqual(admit(asked, grant, profile), {
    admitted: true,
    profile,
    addresses: [mac],
    ips: [],
    wireVid: nullVid,
    group: null,
    pcp: null,
    filter: asked.filter,
  });
});

test('a VID that the profile has is carried on the wire', () => {
  const filter = { format: 'mac-vid', entries: [{ mac, vid: parseVid(100) }] } as const;
  const admission = admit({ ...asked, filter }, grant, profile);
  assert.ok(admission.admitted && admission.wireVid === 100);
});

test('every format is granted the addresses of the database at most, and answered as it asked', () => {
  const second = parseMac('52:54:00:00:00:0c');
  const wide = { ...grant, macs: [mac, second] };
  const vid = parseVid(100);
  const cases: [FilterInfo, readonly MacAddress[]][] = [
    [{ format: 'vid', entries: [{ vid: nullVid }] }, [mac, second]],
    [{ format: 'vid', entries: [{ vid, pcp: 5 }] }, [mac, second]],
    [{ format: 'mac-vid', entries: [{ vid: nullVid, mac: second }] }, [second]],
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
    [{ format: 'group-mac-vid', entries: [{ vid: nullVid, group: 7, mac }] }, [mac]],
  ];
  for (const [filter, addresses] of cases) {
    const admission = admit({ ...asked, filter }, wide, profile);
    assert.ok(admission.admitted);
    assert.deepEqual(admission.addresses, addresses);
    assert.deepEqual(admission.filter, filter);
    assert.equal(admission.group, filter.entries[0]?.group ?? null);
    assert.equal(admission.pcp, filter.entries[0]?.pcp ?? null);
  }
});

const entry = (vid: number, address = mac) => ({ mac: address, vid: vid as never });
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
    ['another host', { station: 'h3' }, grant, profile, 'other failure', /may not appear at station h3/],
    ['a station without a name', { station: null }, grant, profile, 'other failure', /\(unnamed\)/],
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
