import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));

const agents = ['manager', 'bridge', 'station'];
const all = [...agents, 'api', 'store', 'hypervisors', 'relay', 'protocol', 'linux', 'domain'];

/** What each room of src/ may import besides itself. Imports go only downwards in this list. */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  cli: ['bench', 'lab', ...all],
  bench: ['lab', ...all],
  lab: all,
  manager: ['api', 'store', 'hypervisors', 'domain'],
  bridge: ['api', 'relay', 'protocol', 'linux', 'domain'],
  station: ['api', 'hypervisors', 'protocol', 'linux', 'domain'],
  api: ['domain'],
  store: ['domain'],
  hypervisors: ['domain'],
  relay: ['linux', 'domain'],
  protocol: ['domain'],
  linux: ['domain'],
  domain: [],
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
    const upwards = imports.filter(
      ({ room, ofRoom }) => ofRoom !== null && ofRoom !== room && !mayImport[room]?.includes(ofRoom),
    );
    assert.deepEqual(upwards, []);
  });

  it('import no file that is not there', () => {
    const missing = imports.filter(
      ({ file, of }) => of.startsWith('.') && !existsSync(join(root, dirname(file), of)),
    );
    assert.deepEqual(missing, []);
  });

  it('leave libc and libbpf to linux/', () => {
    assert.deepEqual(
      new Set(imports.filter(({ of }) => of === 'koffi').map(({ room }) => room)),
      new Set(['linux']),
    );
  });

  it('keep domain/ and protocol/ pure', () => {
    const pure = new Set(['domain', 'protocol']);
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

function importsOf(file: string): Import[] {
  const pattern = /(?:\bfrom|\bimport)\s*\(?\s*'([^']+)'/g;
  return Array.from(code(file).matchAll(pattern), ([, of]) => {
    const target = relative(root, join(root, dirname(file), of!));
    const inside = of!.startsWith('.') && /^(src|web)\b/.test(target);
    return { file, room: roomOf(file), of: of!, ofRoom: inside ? roomOf(target) : null };
  });
}

function roomOf(file: string): string {
  const [top, room] = file.split(sep);
  return top === beside ? beside : room!;
}

/** A file without its comments. */
function code(file: string): string {
  return readFileSync(join(root, file), 'utf8').replaceAll(/\/\*[\s\S]*?\*\/|(?<=^|\s)\/\/.*$/gm, '');
}
