import assert from 'node:assert/strict';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { asNobody, hairpin, type HairpinOptions } from '../../kit/cli/hairpin.ts';

const directory = mkdtempSync(join(tmpdir(), 'hp-cli-'));
chmodSync(directory, 0o755);
after(() => rmSync(directory, { recursive: true }));

const bridge = {
  name: 'sw',
  manager: 'unix:/run/none.sock',
  stateDirectory: join(directory, 'state'),
  ports: { p1: { kind: 'station' } },
};
const station = {
  name: 'h1',
  uplink: 'up0',
  manager: 'unix:/run/none.sock',
  control: join(directory, 'h1.sock'),
};
const manager = { database: join(directory, 'manager.db'), listen: ['127.0.0.1:0'] };
const profile = { managerId: 'dc1', typeId: 1, typeVersion: 1, name: 'web', tenant: 'acme', vlan: 10 };
const vsi = {
  vsiId: 'fa9b7fff-b0a0-4893-8e0e-beef4ff18f8f',
  name: 'web1',
  tenant: 'acme',
  macs: ['52:54:00:00:00:0a'],
  profile: 'dc1/1/1',
};

/** A file, what is in it, the command line before its name, and what is to be said of it. */
const files: readonly [what: string, content: object | string, args: string[], complaint: string][] = [
  [
    'a bridge with an unknown key',
    { ...bridge, prots: {} },
    ['bridge', '--config'],
    'prots: is not a known key; name, manager, token, stationKeys, tenants, profiles, vsis, stateDirectory, control, evb, ageingTime, managementAddresses, limits, ports would be right',
  ],
  [
    'a bridge that forgets at once',
    { ...bridge, ageingTime: 5 },
    ['bridge', '--config'],
    'ageingTime: is 5; at least 10 would be right',
  ],
  [
    'a bridge with a shaper of 1 bit/s',
    { ...bridge, ports: { p1: { kind: 'station', shaper: 1 } } },
    ['bridge', '--config'],
    'ports.p1.shaper: is 1; at least 8000 would be right',
  ],
  [
    'a bridge with VLAN 4095',
    { ...bridge, ports: { ...bridge.ports, n1: { kind: 'network', vlans: [10, 4095] } } },
    ['bridge', '--config'],
    'ports.n1.vlans.1: VLAN 4095 does not exist; a VLAN identifier is 1 to 4094',
  ],
  [
    'a bridge without a station port',
    { ...bridge, ports: { n1: { kind: 'network' } } },
    ['bridge', '--config'],
    'ports: has no port of kind station; at least one would be right',
  ],
  [
    'a bridge with a policy that there is not',
    { ...bridge, ports: { p1: { kind: 'station', secondStation: 'block' } } },
    ['bridge', '--config'],
    'ports.p1.secondStation: is "block"; "ignore" or "down" would be right',
  ],
  [
    'a bridge that is managed at a name',
    { ...bridge, managementAddresses: ['leaf1.example'] },
    ['bridge', '--config'],
    'managementAddresses.0: is "leaf1.example"; an IP address like 192.0.2.7 would be right',
  ],
  [
    'a bridge with a relative directory',
    { ...bridge, stateDirectory: 'state' },
    ['bridge', '--config'],
    'stateDirectory: "state" is not an absolute path like /run/hairpin',
  ],
  [
    'a station with an unknown key',
    { ...station, uplnk: 'x' },
    ['station', '--config'],
    'uplnk: is not a known key; name, uplink, manager, token, control, key, evb, managementAddresses, setUpWhenArmed, qemu would be right',
  ],
  [
    'a station with a long interface name',
    { ...station, uplink: 'enp1s0f0np0v1234' },
    ['station', '--config'],
    'uplink: "enp1s0f0np0v1234" is not an interface name; up to 15 characters without blanks, "/" and ":" are',
  ],
  [
    'a station with a manager by FTP',
    { ...station, manager: 'ftp://x' },
    ['station', '--config'],
    'manager: is "ftp://x"; http://HOST:PORT or unix:/PATH would be right',
  ],
  [
    'a manager with an unknown key',
    { ...manager, tokn: 'x' },
    ['manager', '--config'],
    'tokn: is not a known key; database, listen, hosts, token, tokens, stationKeys, keepMigrations, history would be right',
  ],
  [
    'a manager on port 99999',
    { ...manager, listen: ['127.0.0.1:99999'] },
    ['manager', '--config'],
    'listen.0: "127.0.0.1:99999" is not an address; 127.0.0.1:7470, [::1]:7470 or unix:/run/hairpin.sock would be right',
  ],
  [
    'a tenant with a guarantee of 0',
    { name: 'acme', guaranteed: 0 },
    ['tenant', 'put'],
    'guaranteed: is 0; at least 8000 would be right',
  ],
  [
    'a profile with VLAN 4095',
    { ...profile, vlan: 4095 },
    ['profile', 'put'],
    'vlan: VLAN 4095 does not exist; a VLAN identifier is 1 to 4094',
  ],
  [
    'a profile with a rate of 0',
    { ...profile, rate: { fromVm: { max: 0 } } },
    ['profile', 'put'],
    'rate.fromVm.max: is 0; at least 8000 would be right',
  ],
  [
    'a VSI with half a MAC address',
    { ...vsi, macs: ['52:54:00'] },
    ['vsi', 'put'],
    'macs.0: "52:54:00" is not a MAC address like 52:54:00:00:00:0a',
  ],
  [
    'a VSI with a group address',
    { ...vsi, macs: ['01:00:5e:00:00:01'] },
    ['vsi', 'put'],
    'macs.0: "01:00:5e:00:00:01" is a group address; a VM NIC needs a unicast one',
  ],
  ['an empty file', '', ['bridge', '--config'], 'is null; a mapping would be right'],
  [
    'a file with a key twice',
    'name: sw\nname: sw\n',
    ['bridge', '--config'],
    'Map keys must be unique at line 2, column 1',
  ],
  [
    'a file that is not YAML',
    'name: "sw\n',
    ['station', '--config'],
    'Missing closing "quote at line 2, column 1',
  ],
];

describe('a file that is wrong', () => {
  for (const [what, content, args, complaint] of files)
    it(`${what}: one line names file and key and what would be right, and the exit code is 2`, async () => {
      const file = join(directory, 'input.yaml');
      writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content));
      assert.deepEqual(await hairpin([...args, file]), {
        code: 2,
        stdout: '',
        stderr: `hairpin: ${file}: ${complaint}`,
      });
      assert.deepEqual(readdirSync(directory), ['input.yaml'], 'nothing was made');
    });

  it('has a line for each mistake', async () => {
    const file = join(directory, 'input.yaml');
    writeFileSync(file, JSON.stringify({ ...profile, vlan: 0, typeId: -1, vlna: 1 }));
    const { code, stderr } = await hairpin(['profile', 'put', file]);
    assert.equal(code, 2);
    assert.deepEqual(
      stderr.split('\n').map((line) => line.split(': ').slice(0, 3)),
      ['typeId', 'vlan', 'vlna'].map((key) => ['hairpin', file, key]),
    );
  });

  it('is not there: the line says so', async () => {
    const file = join(directory, 'none.yaml');
    const { code, stderr } = await hairpin(['bridge', '--config', file]);
    assert.equal(code, 2);
    assert.match(stderr, /^hairpin: \S+none\.yaml: no such file or directory[^\n]*$/);
  });
});

/** Command lines that cannot be meant. */
const commandLines: readonly [args: string, complaint: RegExp][] = [
  ['frobnicate', /^hairpin: unknown command 'frobnicate'; see hairpin --help$/],
  ['bridge shwo', /^hairpin: unknown command 'shwo'; see hairpin bridge --help$/],
  ['lab help foo', /^hairpin: unknown command 'foo'; see hairpin lab --help$/],
  ['lab up --listen foo', /'foo' is invalid\. 127\.0\.0\.1:7470, [^\n]* would be right; see [^\n]*$/],
  [
    'lab migrat a h2',
    /^hairpin: unknown command 'migrat' \(Did you mean migrate\?\); see hairpin lab --help$/,
  ],
  ['lab migrate a', /^hairpin: missing required argument 'host'; see hairpin lab migrate --help$/],
  [
    'lab migrate a h2 --strategy hope',
    /'hope' is invalid\. Allowed choices are profile-first, garp; see [^\n]*$/,
  ],
  ['lab up --vms xen', /'xen' is invalid\. Allowed choices are netns, qemu; see hairpin lab up --help$/],
  ['lab up --id Lab_1', /'Lab_1' is invalid\. 1 to 6 small letters and digits would be right; see [^\n]*$/],
  ['lab compare --runs 0', /'0' is invalid\. a number from 1 to 9999 would be right; see [^\n]*$/],
  ['lab up --frob', /^hairpin: unknown option '--frob'; see hairpin lab up --help$/],
  ['manager', /^hairpin: \/etc\/hairpin\/manager.yaml: no such file/],
  ['bridge', /^hairpin: \/etc\/hairpin\/bridge.yaml: no such file/],
  ['station', /^hairpin: \/etc\/hairpin\/station.yaml: no such file/],
  [
    'station announce started a --mac 52:54:00:00:00:0a',
    /^hairpin: required option '--control <path>' not [^\n]*$/,
  ],
  [
    'station announce started a --control /none --mac 52:54:00:00:00:0',
    /^hairpin: "52:54:00:00:00:0" is not a MAC address like 52:54:00:00:00:0a$/,
  ],
  ['station announce boots a', /'boots' is invalid for argument 'event'\. Allowed choices are [^\n]*$/],
  [
    'profile get web',
    /^hairpin: "web" does not name a port profile; MANAGER\/TYPE\/VERSION like dc1\/17\/1 does$/,
  ],
  [
    'profile ls --manager web',
    /^hairpin: --manager: "web" is not a manager's address; http:[^\n]* would be right$/,
  ],
];

describe('a command line that is wrong', () => {
  for (const [args, complaint] of commandLines)
    it(`"hairpin ${args}": one line and exit code 2`, async () => {
      const { code, stdout, stderr } = await hairpin(args.split(' '));
      assert.match(stderr, complaint);
      assert.deepEqual([code, stdout, stderr.split('\n').length], [2, '', 1]);
    });
});

describe('what cannot be done', () => {
  it('a manager whose port is in use', async (t) => {
    const taken = createServer().listen(0, '127.0.0.1');
    t.after(() => taken.close());
    await once(taken, 'listening');
    const { port } = taken.address() as AddressInfo;
    await refused(
      ['manager', '--config', write({ ...manager, listen: [`127.0.0.1:${port}`] })],
      `listen: 127.0.0.1:${port} is in use; stop what listens there, or another address would be right`,
    );
  });

  it('a bridge without root', async () => {
    await refused(
      ['bridge', '--config', write(bridge)],
      'the bridge agent loads the data plane into the kernel: that needs root',
      { under: asNobody },
    );
  });

  it('a station without root', async () => {
    await refused(
      ['station', '--config', write(station)],
      'the station agent sends frames on the uplink: that needs root',
      { under: asNobody },
    );
  });

  it('asking a manager that is not there', async () => {
    await refused(
      ['vsi', 'ls', '--manager', `unix:${directory}/none.sock`],
      `unix:${directory}/none.sock: there is no such socket; is the manager running?`,
    );
  });

  it('asking a lab that is not up', async () => {
    const { code, stderr } = await hairpin(['lab', 'status', '--id', 'nolab']);
    assert.match(
      stderr,
      /^hairpin: lab nolab is not up \(nobody serves \S+lab\.sock\); "hairpin lab up --id nolab" starts it$/,
    );
    assert.equal(code, 1);
  });
});

async function refused(args: readonly string[], complaint: string, options?: HairpinOptions): Promise<void> {
  assert.deepEqual(await hairpin(args, options), { code: 1, stdout: '', stderr: `hairpin: ${complaint}` });
  assert.deepEqual(
    readdirSync(directory).filter((name) => name !== 'input.yaml'),
    [],
    'nothing was left behind',
  );
}

function write(config: object): string {
  const file = join(directory, 'input.yaml');
  writeFileSync(file, JSON.stringify(config));
  return file;
}
