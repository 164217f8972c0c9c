import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));

const all = [
  'manager',
  'bridge',
  'station',
  'client',
  'api',
  'relay',
  'forms',
  'local',
  'protocol',
  'hypervisors',
  'linux',
  'store',
  'domain',
  'base',
];

/** What each room of src/ may import besides itself, the lowest floor last. */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  cli: ['bench', 'lab', ...all],
  bench: ['lab', ...all],
  lab: all,
  manager: ['client', 'api', 'store', 'local', 'hypervisors', 'forms', 'domain', 'base'],
  bridge: ['client', 'relay', 'protocol', 'linux', 'local', 'forms', 'api', 'domain', 'base'],
  station: ['client', 'protocol', 'hypervisors', 'linux', 'local', 'forms', 'api', 'domain', 'base'],
  client: ['api', 'forms', 'domain', 'base'],
  api: ['forms', 'domain', 'base'],
  relay: ['linux', 'domain', 'base'],
  forms: ['domain', 'base'],
  local: ['base'],
  protocol: ['domain', 'base'],
  hypervisors: ['domain', 'base'],
  linux: ['domain', 'base'],
  domain: ['base'],
  store: ['base'],
  base: [],
};

/**
 * What each department of a room may import of the room besides itself and, where it is named, the files that are in no
 * department (''). The files that are in none may import every department.
 */
const departments: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  bridge: { core: [], control: ['core'], knowledge: ['core', 'config'], config: [] },
  linux: { bpf: ['', 'net'], net: [''] },
  manager: {
    http: ['', 'access', 'objects', 'migration'],
    access: ['objects'],
    migration: ['objects'],
    objects: [],
  },
  protocol: {
    vdp: ['', 'ecp', 'evb', 'lldp', 'signed'],
    signed: ['', 'evb', 'lldp'],
    ecp: ['evb'],
    evb: ['lldp'],
    lldp: [''],
  },
  relay: { contract: [], reference: ['contract'], ebpf: ['contract'] },
  store: { sqlite: [''] },
  cli: { bridge: [''] },
  hypervisors: { qemu: [''] },
  lab: { guest: [''], stream: [''], simulated: ['', 'stream'] },
  bench: { control: ['', 'peers'], offload: ['', 'peers', 'relay'], relay: ['', 'peers'], peers: [''] },
};

/** The console stands beside src/; what it knows of the API is in the API's own description. */
const beside = 'web';

/** What the standard library offers that a pure room has no use for: files, processes, sockets, time, chance. */
const impure = /^node:(?!assert|util$|buffer$)/;

interface Import {
  readonly file: string;
  readonly room: string;
  /** as it is written */
  readonly of: string;
  /** null for a package or a module of Node's */
  readonly ofRoom: string | null;
  /** its path from the top */
  readonly target: string;
}

const files = globSync('{src,web}/**/*.{ts,tsx}', { cwd: root, exclude: ['**/node_modules/**'] });
const imports = files.flatMap(importsOf);

describe('the rooms of src/', () => {
  it('are those of the design, and every file is in one', () => {
    const rooms = new Set(files.map(roomOf));
    rooms.delete(beside);
    assert.deepEqual(rooms, new Set(Object.keys(mayImport)));
  });

  it('import only downwards', () => {
    assert.ok(imports.length > 500, `only ${imports.length} imports were found`);
    assert.deepEqual(imports.filter(isUpwards), []);
  });

  it('have departments, which import only what is theirs', () => {
    const rooms = Object.keys(mayImport).filter((room) =>
      files.some((file) => departmentOf(file) && roomOf(file) === room),
    );
    assert.deepEqual(new Set(rooms), new Set(Object.keys(departments)));
    assert.deepEqual(imports.filter(isForeign), []);
  });

  it('have no circle of departments, nor of files', () => {
    const ofDepartments = Object.entries(departments).flatMap(([room, its]) =>
      Object.entries(its).flatMap(([from, tos]) =>
        tos.filter((to) => to !== '').map((to): Edge => [`${room}/${from}`, `${room}/${to}`]),
      ),
    );
    assert.deepEqual(circle(ofDepartments), []);
    assert.deepEqual(circle(imports.map(({ file, target }): Edge => [file, target])), []);
  });

  it('are held by these checks, which find what is planted', () => {
    const planted = (file: string, target: string): Import => {
      const of = relative(dirname(file), target);
      return { file, room: roomOf(file), of, ofRoom: roomOf(target), target };
    };
    assert.ok(isUpwards(planted('src/domain/vid.ts', 'src/forms/fields.ts')));
    assert.ok(isUpwards(planted('src/relay/contract/relay.ts', 'src/protocol/driver.ts')));
    assert.ok(isForeign(planted('src/bridge/core/agent.ts', 'src/bridge/knowledge/copy.ts')));
    assert.ok(!isForeign(planted('src/bridge/knowledge/copy.ts', 'src/bridge/core/agent.ts')));
    const edges: Edge[] = [
      ['a', 'b'],
      ['b', 'c'],
    ];
    assert.deepEqual(circle(edges), []);
    assert.deepEqual(circle([...edges, ['c', 'b']]), ['a', 'b', 'c']);
  });

  it('import no file that is not there', () => {
    const missing = imports.filter(
      ({ file, of }) => of.startsWith('.') && !existsSync(join(root, dirname(file), of)),
    );
    assert.deepEqual(missing, []);
  });

  it('have no file of more than 420 lines', () => {
    const long = files.filter((file) => readFileSync(join(root, file), 'utf8').split('\n').length > 421);
    assert.deepEqual(long, []);
  });

  it('leave libc and libbpf to linux/', () => {
    assert.deepEqual(
      new Set(imports.filter(({ of }) => of === 'koffi').map(({ room }) => room)),
      new Set(['linux']),
    );
  });

  it('keep base/, domain/ and protocol/ pure', () => {
    const pure = new Set(['base', 'domain', 'protocol']);
    const used = imports.filter(({ room, of }) => pure.has(room) && impure.test(of));
    assert.deepEqual(
      used.map(({ file, of }) => `${of} in ${file}`),
      ['node:crypto in src/protocol/signed/hmac.ts'],
    );
    const [, names] = /import \{([^}]*)\} from 'node:crypto'/.exec(code('src/protocol/signed/hmac.ts'))!;
    assert.deepEqual(names!.trim().split(/,\s*/), [
      'createHash',
      'createHmac',
      'createSecretKey',
      'timingSafeEqual',
      'type KeyObject',
    ]);
    const told = /\bDate\.now\(|\bnew Date\(\)|\bMath\.random\(|\bperformance\.|\bsetTimeout\(|\bconsole\./;
    const found = files.filter((file) => pure.has(roomOf(file)) && told.test(code(file)));
    assert.deepEqual(found, []);
  });

  it('know nothing of web/', () => {
    const known = imports.filter(({ room, ofRoom }) => room !== beside && ofRoom === beside);
    assert.deepEqual(known, []);
  });
});

function isUpwards({ room, ofRoom }: Import): boolean {
  return ofRoom !== null && ofRoom !== room && !mayImport[room]?.includes(ofRoom);
}

/** From a department to another one of its room that is not its to use. */
function isForeign({ file, room, ofRoom, target }: Import): boolean {
  const [from, to] = [departmentOf(file), departmentOf(target)];
  return room === ofRoom && from !== '' && from !== to && !departments[room]?.[from]?.includes(to);
}

function importsOf(file: string): Import[] {
  const pattern = /(?:\bfrom|\bimport)\s*\(?\s*'([^']+)'/g;
  return Array.from(code(file).matchAll(pattern), ([, of]) => {
    const target = relative(root, join(root, dirname(file), of!));
    const inside = of!.startsWith('.') && /^(src|web)\b/.test(target);
    return { file, room: roomOf(file), of: of!, ofRoom: inside ? roomOf(target) : null, target };
  });
}

function roomOf(file: string): string {
  const [top, room] = file.split(sep);
  return top === beside ? beside : room!;
}

/** '' for a file that is in none. */
function departmentOf(file: string): string {
  const path = file.split(sep);
  return path.length > 3 ? path[2]! : '';
}

type Edge = readonly [from: string, to: string];

/** The nodes of a circle, and those that lead to it; [] if there is none. */
function circle(edges: readonly Edge[]): string[] {
  let left = edges;
  for (;;) {
    const from = new Set(left.map(([node]) => node));
    const rest = left.filter(([, to]) => from.has(to));
    if (rest.length === left.length) return [...from];
    left = rest;
  }
}

/** A file without its comments. */
function code(file: string): string {
  return readFileSync(join(root, file), 'utf8').replaceAll(/\/\*[\s\S]*?\*\/|(?<=^|\s)\/\/.*$/gm, '');
}
