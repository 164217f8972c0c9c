import type { StationKeys } from '../../forms/station-keys.ts';
import type { SigningOptions } from '../../protocol/signed/control.ts';
import { signingKey, type SigningKey } from '../../protocol/signed/key.ts';
import { Numbering } from '../../protocol/signed/numbering.ts';

/** What all of a bridge's ports sign and verify with. */
export type Signing = Omit<SigningOptions, 'verified'>;

/** The stations' keys as they are known now. Names are compared without case, as administrators write them. */
export class Keyring implements Signing {
  readonly numbering: Numbering;
  #keys: ReadonlyMap<string, readonly SigningKey[]> = new Map();

  constructor(epoch: number, keys: StationKeys = new Map()) {
    this.numbering = new Numbering(epoch);
    this.set(keys);
  }

  set(keys: StationKeys): void {
    this.#keys = new Map(Array.from(keys, ([name, each]) => [name.toLowerCase(), each.map(signingKey)]));
  }

  readonly canSign = (): boolean => this.#keys.size > 0;

  readonly keysOf = (systemName: string | null): readonly SigningKey[] =>
    this.#keys.get(systemName?.toLowerCase() ?? '') ?? [];
}
