import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { readStationKey, readStationKeys } from '../../../src/forms/key-file.ts';
import { stationKeysJson, stationKeysOf } from '../../../src/forms/station-keys.ts';
import { Invalid } from '../../../src/base/invalid.ts';
import { temporaryDirectory } from '../../kit/manager/support.ts';

const [k1, k2] = ['0123456789abcdef'.repeat(4), '01'.repeat(32)];
const octets = (key: string) => Uint8Array.from(Buffer.from(key, 'hex'));
const directory = temporaryDirectory();
const path = join(directory, 'keys');

function written(text: string, mode = 0o600): string {
  writeFileSync(path, text);
  chmodSync(path, mode);
  return path;
}

/** That it is refused in one line that names file and field, and shows no piece of a key. */
function refuses(read: () => unknown, line: RegExp): void {
  assert.throws(read, (error: Error) => {
    assert.ok(error instanceof Invalid);
    assert.match(error.message, line);
    assert.doesNotMatch(error.message, /\n/);
    for (const key of [k1, k2])
      for (let at = 0; at + 12 <= key.length; at++)
        assert.ok(!error.message.includes(key.slice(at, at + 12)), error.message);
    return true;
  });
}

describe("a station's key", () => {
  it('is a line, or two while keys are changed; blanks and empty lines are nothing', () => {
    assert.deepEqual(readStationKey(written(`${k1}\n`)), [octets(k1)]);
    assert.deepEqual(readStationKey(written(`\n  ${k1.toUpperCase()}\r\n\n${k2}`)), [octets(k1), octets(k2)]);
  });

  it('in a wrong form is refused', () => {
    for (const [text, line] of [
      ['', /^key: \S+keys has 0 lines; one key, or two during a change, would be right$/],
      [`${k1}\n${k2}\n${k1}`, /^key: \S+keys has 3 lines; /],
      [k1.slice(1), /^key: \S+keys: line 1 is no key; 64 hexadecimal digits, .* would be right$/],
      [`${k1}\n${k2}0`, /^key: \S+keys: line 2 is no key; /],
      [`h1: ${k1}`, /^key: \S+keys: line 1 is no key; /],
      [`${k1} ${k2}`, /^key: \S+keys: line 1 is no key; /],
    ] as const)
      refuses(() => readStationKey(written(text)), line);
  });
});

describe("the stations' keys", () => {
  const read = (text: string) => Object.fromEntries(readStationKeys(written(text)));

  it('are one for each name, or a list of two', () => {
    assert.deepEqual(read(`h1: ${k1}\n"h 2": [${k1}, '${k2}']\n`), {
      h1: [octets(k1)],
      'h 2': [octets(k1), octets(k2)],
    });
    assert.deepEqual(read(JSON.stringify({ h1: k1 })), { h1: [octets(k1)] });
    assert.deepEqual(read('# none yet\n'), {});
  });

  it('may be of decimal digits alone, which YAML would take for a number', () => {
    assert.deepEqual(read(`h1: ${k2}`), { h1: [octets(k2)] });
  });

  it('are handed on as they are read', () => {
    const keys = readStationKeys(written(`h1: ${k1}\nh2: [${k1}, ${k2}]`));
    assert.deepEqual(stationKeysOf(JSON.parse(JSON.stringify(stationKeysJson(keys))), 'there'), keys);
  });

  it('in a wrong form are refused', () => {
    for (const [text, line] of [
      [`h1: ${k1}0`, /^stationKeys: \S+keys: h1: does not fit; 64 hexadecimal digits, .* would be right$/],
      [`h1: ${k1}\nh2: ${k1.slice(1)}`, /^stationKeys: \S+keys: h2: does not fit/],
      [`h1: [${k1}, ${k2.slice(1)}]`, /^stationKeys: \S+keys: h1\.1: does not fit/],
      [`h1: [${k1}, ${k2}, ${k1}]`, /^stationKeys: \S+keys: h1: .*at most 2 entries would be right$/],
      ['h1: []', /^stationKeys: \S+keys: h1: .*at least 1 entries would be right$/],
      [`h1: {a: ${k1}}`, /^stationKeys: \S+keys: h1: .*a list or a text would be right$/],
      ['h1:', /^stationKeys: \S+keys: h1: /],
      [k1, /^stationKeys: \S+keys: is a text; a mapping would be right$/],
      [`- ${k1}`, /^stationKeys: \S+keys: is a list; a mapping would be right$/],
      [`${k1}: h1`, /^stationKeys: \S+keys: \(digits\): does not fit/],
      [`${k1}: ${k2}0`, /^stationKeys: \S+keys: \(digits\): does not fit/],
      [`"": ${k1}`, /^stationKeys: \S+keys: a station has no name; /],
      [`${'x'.repeat(256)}: ${k1}`, /^stationKeys: \S+keys: .*is too long for a name; at most 255/],
      [`h1: ${k1}\nh1: ${k2}`, /^stationKeys: \S+keys is not YAML; lines like "host7: KEY" would be right$/],
      [`h1: [${k1}`, /^stationKeys: \S+keys is not YAML; /],
      [`h1: ${k1}\n\t- ${k2}: ]`, /^stationKeys: \S+keys is not YAML; /],
    ] as const)
      refuses(() => readStationKeys(written(text)), line);
  });
});

describe('a file of keys', () => {
  const readers = [
    ['key', () => readStationKey(path)],
    ['stationKeys', () => readStationKeys(path)],
  ] as const;

  it('that others can read or write is refused', () => {
    for (const [field, read] of readers)
      for (const mode of [0o640, 0o604, 0o620, 0o602, 0o610, 0o644]) {
        written(k1, mode);
        refuses(
          read,
          new RegExp(
            `^${field}: \\S+keys has mode 0${mode.toString(8)}, so that others can read it; 0600 would be right$`,
          ),
        );
      }
  });

  it('that its owner alone can read is taken', () => {
    for (const mode of [0o600, 0o400]) assert.deepEqual(readStationKey(written(k1, mode)), [octets(k1)]);
  });

  it('that is not there, or is a directory, is told by its name', () => {
    const none = join(directory, 'none');
    refuses(() => readStationKey(none), /^key: \S+none cannot be read \(ENOENT\)$/);
    mkdirSync(none, { mode: 0o700 });
    refuses(() => readStationKeys(none), /^stationKeys: \S+none cannot be read \(EISDIR\)$/);
  });
});
