import { encodeFrame, longestPayload, type Frame } from '../ethernet.ts';
import type { EvbRole } from '../evb/ratified.ts';
import { concat } from '../../base/octets.ts';
import { Counters, type Channel, type VerifiedKey } from './counters.ts';
import { hmac, sameMac } from './hmac.ts';
import type { PortIdentity } from './identity.ts';
import type { SigningKey } from './key.ts';
import { Numbering } from './numbering.ts';
import { findSignature, signatureHead, signatureTlvLength } from './tlv.ts';

export interface SigningOptions {
  readonly numbering: Numbering;
  /** Whether there is any key: only then LLDP says that this side can verify. */
  readonly canSign: () => boolean;
  /** What a peer of this name may sign with; the first is what this side signs with. */
  readonly keysOf: (systemName: string | null) => readonly SigningKey[];
  /** What was verified here in earlier runs (`SignedControl.keys`). */
  readonly verified?: readonly VerifiedKey[];
}

/** Of an agent that has, and takes from its peer, these keys and no others. @param epoch as `Numbering` has it */
export function signingWith(epoch: number, ...keys: readonly SigningKey[]): SigningOptions {
  return { numbering: new Numbering(epoch), canSign: () => true, keysOf: () => keys };
}

/** Whom a frame is for, or from. */
export interface Counterpart {
  readonly id: PortIdentity;
  readonly name: string | null;
}

export type Verdict =
  | { readonly kind: 'unsigned' }
  /** none of the keys made it */
  | { readonly kind: 'forged' }
  | {
      readonly kind: 'fresh' | 'repeated' | 'old';
      readonly key: SigningKey;
      readonly restarted: boolean;
    };

const end = Uint8Array.of(0, 0);
const scheme = 'hairpin signed control 1';
const otherRole = { bridge: 'station', station: 'bridge' } as const;

/**
 * One side's half of signed control: signs what it sends, and says of what came whether the peer has signed it.
 *
 * A signature is made over the frame up to it, the counter included, the sender's role, and both ports' identities. So it
 * is good for one link, one direction and one time.
 */
export class SignedControl {
  readonly #role: EvbRole;
  readonly #options: SigningOptions | null;
  readonly #own: () => PortIdentity;
  readonly #counters: Counters;

  constructor(role: EvbRole, options: SigningOptions | null, own: () => PortIdentity) {
    this.#role = role;
    this.#options = options;
    this.#own = own;
    this.#counters = new Counters(options?.verified);
  }

  /** Whether LLDP is to say that this side verifies signatures. */
  get isOffered(): boolean {
    return this.#options?.canSign() ?? false;
  }

  /** A signature was verified here once: what has none is refused until `unpin`. */
  get isPinned(): boolean {
    return this.#counters.keys.length > 0;
  }

  /** What the next run has to know, which is `verified` there. */
  get keys(): readonly VerifiedKey[] {
    return this.#counters.keys;
  }

  /** Unsigned frames count again. */
  unpin(): void {
    this.#counters.clear();
  }

  /**
   * A frame whose payload is closed by an End TLV, signed for `to`; unsigned where there is no key that `to` has, or no
   * room. Each repeat is signed anew: what was signed between it and the first one must not make it look old.
   */
  sign(frame: Frame, to: Counterpart, preferred: string | null): Uint8Array<ArrayBuffer> {
    const keys = this.#options?.keysOf(to.name) ?? [];
    const key = keys.find(({ fingerprint }) => fingerprint === preferred) ?? keys[0];
    if (!this.#options || !key || frame.payload.length + signatureTlvLength > longestPayload)
      return encodeFrame(frame);
    const head = signatureHead(this.#options.numbering.next());
    const unclosed = concat([frame.payload.subarray(0, -end.length), head]);
    const signed = encodeFrame({ ...frame, payload: unclosed }).subarray(0, 14 + unclosed.length);
    const mac = hmac(key.hmac, context(this.#role, this.#own(), to.id), signed);
    return encodeFrame({ ...frame, payload: concat([unclosed, mac, end]) });
  }

  /**
   * @param octets the whole frame
   * @param tlvs its TLVs, a view into `octets`
   */
  check(channel: Channel, octets: Uint8Array, tlvs: Uint8Array, from: Counterpart): Verdict {
    const keys = this.#options?.keysOf(from.name) ?? [];
    const signature = keys.length ? findSignature(tlvs) : null;
    if (!signature) return { kind: 'unsigned' };
    const { mac } = signature;
    const signed = octets.subarray(0, mac.byteOffset - octets.byteOffset);
    const about = context(otherRole[this.#role], from.id, this.#own());
    const key = keys.find((each) => sameMac(hmac(each.hmac, about, signed), mac));
    if (!key) return { kind: 'forged' };
    const { order, restarted } = this.#counters.take(channel, key.fingerprint, signature);
    return { kind: order, key, restarted };
  }
}

function context(sender: EvbRole, from: PortIdentity, to: PortIdentity): Uint8Array {
  return new TextEncoder().encode(`${scheme}\n${sender}\n${from}\n${to}\n`);
}
