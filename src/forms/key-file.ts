import { fstatSync, openSync, closeSync, readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { z } from 'zod';
import { Invalid } from '../base/invalid.ts';
import { lineOf, problemsOf } from './explain.ts';

/** Keys that control frames are signed with, by the names of the stations. The first of a station's is the one in use. */
export type StationKeys = ReadonlyMap<string, readonly Uint8Array[]>;

const octets = 32;
const form = `${2 * octets} hexadecimal digits, as "openssl rand -hex ${octets}" prints them,`;

/** A key, or most of one. */
const mayBeKey = /[0-9a-f]{24,}/gi;

const key = z
  .string()
  .regex(new RegExp(`^[0-9a-fA-F]{${2 * octets}}$`), `does not fit; ${form} would be right`)
  .transform((text) => Uint8Array.from(Buffer.from(text, 'hex')));

/** {host7: "64 digits"}; two of them while a key is being changed */
const stationKeysSchema = z.record(
  z
    .string()
    .min(1, 'a station has no name; "NAME: KEY" would be right')
    .max(255, 'is too long for a name; at most 255 characters would be right'),
  z.union([z.array(key).min(1).max(2), key.transform((one) => [one])], {
    error: `is no key; ${form} or a list of two would be right`,
  }),
);

/** The file of a station: one key, or two while they are being changed, each in a line. @throws Invalid */
export function readStationKey(path: string): Uint8Array[] {
  const lines = readSecret('key', path)
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
  if (lines.length < 1 || lines.length > 2)
    throw new Invalid(
      `key: ${path} has ${lines.length} lines; one key, or two during a change, would be right`,
    );
  return lines.map((line, i) => {
    const parsed = key.safeParse(line);
    // never the line itself: it may be most of a key
    if (!parsed.success) throw new Invalid(`key: ${path}: line ${i + 1} is no key; ${form} would be right`);
    return parsed.data;
  });
}

/** The file of a bridge or a manager: YAML, each station's name with its key. @throws Invalid */
export function readStationKeys(path: string): StationKeys {
  const text = readSecret('stationKeys', path);
  let read: unknown;
  try {
    // all words, also those that are made of digits only
    read = parse(text, { schema: 'failsafe' }) ?? {};
  } catch {
    // its message would quote the keys
    throw new Invalid(`stationKeys: ${path} is not YAML; lines like "host7: KEY" would be right`);
  }
  return stationKeysOf(read, `stationKeys: ${path}`);
}

/** @throws Invalid, which tells no key, also where one stands in a name's place */
export function stationKeysOf(value: unknown, where: string): StationKeys {
  const parsed = stationKeysSchema.safeParse(value);
  if (parsed.success) return new Map(Object.entries(parsed.data));
  const [problem] = problemsOf(parsed.error); // which quotes values if it has them
  throw new Invalid(`${where}: ${lineOf(problem!).replace(mayBeKey, '(digits)')}`);
}

/** As the API hands them to bridges. */
export function stationKeysJson(keys: StationKeys): Record<string, string[]> {
  return Object.fromEntries(
    Array.from(keys, ([name, each]) => [name, each.map((one) => Buffer.from(one).toString('hex'))]),
  );
}

function readSecret(field: string, path: string): string {
  let file: number | undefined;
  try {
    file = openSync(path, 'r');
    const mode = fstatSync(file).mode & 0o777;
    if (mode & 0o077)
      throw new Invalid(
        `${field}: ${path} has mode 0${mode.toString(8)}, so that others can read it; 0600 would be right`,
      );
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (error instanceof Invalid) throw error;
    throw new Invalid(`${field}: ${path} cannot be read (${(error as NodeJS.ErrnoException).code})`);
  } finally {
    if (file !== undefined) closeSync(file);
  }
}
