import type { MacAddress } from '../domain/mac-address.ts';
import { ownIdentity, type Identity } from './announcement.ts';
import { encodeFrame, type Frame } from './ethernet.ts';
import type { EvbRole } from './evb/ratified.ts';
import type { IgnoreReason } from './ignored.ts';
import { neighbourFrom } from './lldp/neighbour.ts';
import type { Lldpdu } from './lldp/packet.ts';
import { Place, type Speaker } from './place.ts';
import { SignedControl, type Counterpart, type SigningOptions, type Verdict } from './signed/control.ts';
import type { VerifiedKey } from './signed/counters.ts';
import { portIdentity } from './signed/identity.ts';
import { findSignature, offersSignatures } from './signed/tlv.ts';
import type { Trust } from './trust.ts';

export interface GateOptions extends Identity {
  /** Whose place a bridge's port is, as the agent remembers it (`BridgePort.station` of its last run). */
  readonly station?: Speaker;
  /** How long a bridge's port waits for a station that is not heard any more, in ms; the default is two minutes. */
  readonly placeHold?: number;
  /** absent: this side neither signs nor verifies */
  readonly signing?: SigningOptions;
}

/** What an LLDPDU to the station's address is taken for. */
export type Hearing =
  | ({ readonly kind: 'neighbour'; readonly speaker: Speaker } & Meeting)
  | { readonly kind: 'second speaker'; readonly speaker: Speaker }
  /** `isInvited`: an LLDPDU of this side is due, so that the sender hears for whom to sign */
  | { readonly kind: 'refused'; readonly isInvited: boolean };

export interface Meeting {
  /** its signature says who it is */
  readonly isSure: boolean;
  /** what is held for whoever had the place before is the speaker's now */
  readonly adopts: boolean;
  /** it was, by what its signature counts */
  readonly restarted: boolean;
}

export const defaultPlaceHold = 120_000;

/**
 * Decides who is at the other end. Any VM behind the link can send what a station sends: where the station signs, the
 * signature says who it is; else whoever was there first keeps the place.
 */
export class Gate {
  readonly #role: EvbRole;
  readonly #place: Place;
  readonly #signed: SignedControl;
  readonly #ignore: (reason: IgnoreReason, detail: string, now: number) => void;
  /** whom this side signs for: the last who said that it verifies */
  #verifier: Counterpart | null = null;

  constructor(
    role: EvbRole,
    options: GateOptions,
    /** whether VSIs are held at the port */
    isUsed: () => boolean,
    ignore: (reason: IgnoreReason, detail: string, now: number) => void,
  ) {
    const { station = null, signing = null } = options;
    this.#role = role;
    // A bridge may be exchanged while the link stays; a station that is silent must not be stood in for by a VM.
    const hold = () => (role === 'bridge' ? (options.placeHold ?? defaultPlaceHold) : 0);
    this.#place = new Place(hold, isUsed, station);
    this.#signed = new SignedControl(role, signing, () => ownIdentity(options));
    this.#ignore = ignore;
    if (station?.key != null) this.#verifier = station;
  }

  /** Whose place the port is, be it heard or not. */
  get holder(): Speaker | null {
    return this.#place.holder;
  }

  /** Until when the place waits for its holder, in ms; null: it is free, or its holder is heard. */
  get heldUntil(): number | null {
    return this.#place.heldUntil;
  }

  /** What was verified here, for the next run. */
  get verified(): readonly VerifiedKey[] {
    return this.#signed.keys;
  }

  /** Whether LLDP is to say that this side verifies signatures. */
  get isOffered(): boolean {
    return this.#signed.isOffered;
  }

  /** Why whoever has the place is believed; null: nobody has it. */
  trust(isHeard: boolean): Trust | null {
    const { holder } = this.#place;
    if (isHeard && holder?.key != null) return 'signed';
    if (this.#signed.isPinned) return 'pinned';
    return holder ? 'first use' : null;
  }

  /** Whether the LLDPDU is worth a look although its source, which a VM can forge, has had its share of them. */
  mayBeSigned(payload: Uint8Array): boolean {
    return this.#signed.isPinned && findSignature(payload) !== null;
  }

  /** @param isHeard whether there is a neighbour at the moment */
  hear(
    octets: Uint8Array,
    { source, payload }: Frame,
    lldpdu: Lldpdu,
    isHeard: boolean,
    now: number,
  ): Hearing {
    const speaker = this.#speaker(source, lldpdu);
    const verdict = this.#signed.check('lldp', octets, payload, speaker);
    if (!this.#isBelieved(verdict, source, now))
      return { kind: 'refused', isInvited: this.#invites(speaker, lldpdu, isHeard) };
    if (verdict.kind === 'repeated') return { kind: 'refused', isInvited: false };
    if (verdict.kind === 'fresh')
      return this.#hearSigned({ ...speaker, key: verdict.key.fingerprint }, verdict.restarted, isHeard, now);
    const isTheirs = this.#place.isHolder(speaker) || this.#place.isFree(now);
    return isTheirs
      ? { kind: 'neighbour', speaker, isSure: false, adopts: false, restarted: false }
      : { kind: 'second speaker', speaker };
  }

  /** What becomes of an ECP request of the holder. */
  take(octets: Uint8Array, payload: Uint8Array, now: number): 'fresh' | 'repeated' | 'refused' {
    const holder = this.#place.holder!;
    const verdict = this.#signed.check('ecp', octets, payload, holder);
    if (!this.#isBelieved(verdict, holder.mac, now)) return 'refused';
    if (verdict.kind === 'repeated') return 'repeated';
    // The answer is signed with the key that the request has: its sender may know no other any more.
    if (verdict.kind === 'fresh' && verdict.key.fingerprint !== holder.key)
      this.#place.take({ ...holder, key: verdict.key.fingerprint });
    return 'fresh';
  }

  /** As it leaves: signed, if there is somebody who verifies. Its payload is closed by an End TLV. */
  sign(frame: Frame): Uint8Array<ArrayBuffer> {
    // A bridge answers with the key that the station has used: when keys change, the station goes first.
    const preferred = this.#role === 'bridge' ? (this.#place.holder?.key ?? null) : null;
    return this.#verifier ? this.#signed.sign(frame, this.#verifier, preferred) : encodeFrame(frame);
  }

  isHolder(speaker: Speaker): boolean {
    return this.#place.isHolder(speaker);
  }

  /** The speaker is the neighbour from now on. True if another had the place, and what is held may not be the speaker's. */
  meet(speaker: Speaker, { adopts }: Meeting, lldpdu: Lldpdu): boolean {
    this.#verifier = offersSignatures(lldpdu) ? speaker : null;
    if (adopts) this.#place.clear();
    return this.#place.take(speaker) !== null;
  }

  /** The holder is not heard any more; "silent": it did not say so, and its link is up. */
  lose(how: 'silent' | 'left', now: number): void {
    this.#place.lose(how === 'silent', now);
  }

  /** The link is up: a holder who is only remembered was not heard yet. */
  open(now: number): void {
    this.#place.open(now);
  }

  /** This machine did not run for a while: a holder that could not be heard is awaited anew. */
  excuse(now: number): void {
    this.#place.excuse(now);
  }

  /** True if the place has become free by now. */
  expire(now: number): boolean {
    return this.#place.expire(now);
  }

  /** Unsigned frames count again, although some were signed here. */
  unpin(isHeard: boolean, now: number): void {
    this.#signed.unpin();
    this.#verifier = null;
    const { holder } = this.#place;
    if (!holder) return;
    this.#place.take({ ...holder, key: null });
    if (!isHeard) this.#place.lose(true, now);
  }

  /** Whoever speaks next has the place, and what is held here. */
  forget(): void {
    this.#place.clear();
  }

  /** The last word has no system name: it is known by what was said before. */
  #speaker(mac: MacAddress, lldpdu: Lldpdu): Speaker {
    const id = portIdentity(lldpdu);
    const { holder } = this.#place;
    if (lldpdu.ttl === 0 && holder?.id === id) return { ...holder, mac };
    return { mac, id, name: neighbourFrom(mac, lldpdu).systemName, key: null };
  }

  #isBelieved({ kind }: Verdict, source: MacAddress, now: number): boolean {
    if (kind === 'fresh' || kind === 'repeated') return true;
    if (kind === 'old') this.#ignore('replayed', `from ${source}`, now);
    else if (kind === 'forged')
      this.#ignore('bad signature', `from ${source}: no key that is known for it here made it`, now);
    else if (this.#signed.isPinned) this.#ignore('unsigned', `from ${source}`, now);
    return kind !== 'old' && !this.#signed.isPinned;
  }

  /** Who restarts cannot sign until it has heard for whom. */
  #invites({ id, name }: Speaker, lldpdu: Lldpdu, isHeard: boolean): boolean {
    if (lldpdu.ttl === 0 || !offersSignatures(lldpdu)) return false;
    // A bridge goes on signing for whom it knows: by what a VM says of itself, it would sign for nobody else.
    if (this.#role === 'station') this.#verifier = { id, name };
    return !isHeard || this.#place.holder?.id === id;
  }

  /** Who signs takes the place from one who does not, with what is held; not from another who does and is heard. */
  #hearSigned(speaker: Speaker, restarted: boolean, isHeard: boolean, now: number): Hearing {
    const { holder } = this.#place;
    const isSame = this.#place.isHolder(speaker) || isSameStation(holder, speaker);
    if (!isSame && holder?.key != null && isHeard && !this.#place.isFree(now))
      return { kind: 'second speaker', speaker };
    return { kind: 'neighbour', speaker, isSure: true, adopts: isSame || holder?.key === null, restarted };
  }
}

/** By the key; or by the name, while the keys of that name are being changed. */
function isSameStation(holder: Speaker | null, { key, name }: Speaker): boolean {
  return holder?.key != null && (holder.key === key || (name !== null && holder.name === name));
}
