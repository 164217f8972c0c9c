import { readFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { keepEpoch, nextEpoch } from '../local/boot-epoch.ts';
import { readStationKey } from '../forms/key-file.ts';
import { replaceFile } from '../local/replace-file.ts';
import type { SigningOptions } from '../protocol/signed/control.ts';
import type { VerifiedKey } from '../protocol/signed/counters.ts';
import { signingKey, type SigningKey } from '../protocol/signed/key.ts';
import { Numbering } from '../protocol/signed/numbering.ts';

const count = z.int().min(0).max(0xffff_ffff);
const file = z.array(z.object({ fingerprint: z.string(), epoch: count, sequence: count }));

export interface StationSigning extends SigningOptions {
  /** The agent has started: keeps the number of this start for the next one. */
  started(): void;
  /** Reads the key anew. What it returns puts it in force, and says whether it is another one. @throws Invalid */
  reload(): () => boolean;
  /** for the next agent */
  remember(verified: readonly VerifiedKey[]): void;
}

/**
 * What a station with a key signs with. Two files beside the control socket keep what must not go back: the number of
 * this start, and what was verified of the bridge. Null: it has no key. @throws Invalid
 */
export function stationSigning(
  { key, control }: { readonly key?: string | undefined; readonly control: string },
  clockSeconds: number,
  warn: (message: string) => void,
): StationSigning | null {
  if (key === undefined) return null;
  let keys = readStationKey(key).map(signingKey);
  const path = `${control}.bridge`;
  const epoch = nextEpoch(`${control}.epoch`, clockSeconds);
  return {
    numbering: new Numbering(epoch),
    canSign: () => true,
    keysOf: () => keys,
    verified: load(path, warn),
    started: () => keepEpoch(`${control}.epoch`, epoch, warn),
    reload() {
      const read = readStationKey(key).map(signingKey);
      return () => {
        const isOther = !isDeepStrictEqual(names(read), names(keys));
        keys = read;
        return isOther;
      };
    },
    remember(verified) {
      try {
        replaceFile(path, JSON.stringify(verified));
      } catch (error) {
        warn(`${path} cannot be written: ${(error as Error).message}`);
      }
    },
  };
}

const names = (keys: readonly SigningKey[]) => keys.map(({ fingerprint }) => fingerprint);

function load(path: string, warn: (message: string) => void): readonly VerifiedKey[] {
  try {
    return file.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') warn(`${path} is not of use`);
    return [];
  }
}
