import { z } from 'zod';
import { Invalid } from '../base/invalid.ts';
import { lineOf, problemsOf } from './explain.ts';

/** Keys that control frames are signed with, by the names of the stations. The first of a station's is the one in use. */
export type StationKeys = ReadonlyMap<string, readonly Uint8Array[]>;

const octets = 32;
export const stationKeyForm = `${2 * octets} hexadecimal digits, as "openssl rand -hex ${octets}" prints them,`;

/** A key, or most of one. */
const mayBeKey = /[0-9a-f]{24,}/gi;

export const stationKey = z
  .string()
  .regex(new RegExp(`^[0-9a-fA-F]{${2 * octets}}$`), `does not fit; ${stationKeyForm} would be right`)
  .transform((text) => Uint8Array.from(Buffer.from(text, 'hex')));

/** {host7: "64 digits"}; two of them while a key is being changed */
const stationKeysSchema = z.record(
  z
    .string()
    .min(1, 'a station has no name; "NAME: KEY" would be right')
    .max(255, 'is too long for a name; at most 255 characters would be right'),
  z.union([z.array(stationKey).min(1).max(2), stationKey.transform((one) => [one])], {
    error: `is no key; ${stationKeyForm} or a list of two would be right`,
  }),
);

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
