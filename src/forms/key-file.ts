import { fstatSync, openSync, closeSync, readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { Invalid } from '../base/invalid.ts';
import { stationKey, stationKeyForm, stationKeysOf, type StationKeys } from './station-keys.ts';

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
    const parsed = stationKey.safeParse(line);
    // never the line itself: it may be most of a key
    if (!parsed.success)
      throw new Invalid(`key: ${path}: line ${i + 1} is no key; ${stationKeyForm} would be right`);
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
