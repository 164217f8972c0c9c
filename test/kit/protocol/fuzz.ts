import assert from 'node:assert/strict';
import { parseMac, type MacAddress } from '../../../src/domain/mac-address.ts';
import { parseProfileKey } from '../../../src/domain/profile-ref.ts';
import type { DialectName } from '../../../src/domain/dialect.ts';
import type { BridgePort } from '../../../src/protocol/bridge-port.ts';
import { ownIdentity } from '../../../src/protocol/announcement.ts';
import { dialects } from '../../../src/protocol/dialects.ts';
import { decodeFrame } from '../../../src/protocol/ethernet.ts';
import { etherTypes } from '../../../src/domain/packet-numbers.ts';
import { decodeCdcpTlv } from '../../../src/protocol/evb/cdcp.ts';
import { decodeDraftEvbTlv } from '../../../src/protocol/evb/draft.ts';
import { decodeEvbTlv, type EvbRole } from '../../../src/protocol/evb/ratified.ts';
import { decodeLldpdu } from '../../../src/protocol/lldp/packet.ts';
import type { IgnoreReason } from '../../../src/protocol/ignored.ts';
import { concat } from '../../../src/base/octets.ts';
import type { Result } from '../../../src/base/result.ts';
import {
  SignedControl,
  type Counterpart,
  signingWith,
  type SigningOptions,
} from '../../../src/protocol/signed/control.ts';
import type { PortIdentity } from '../../../src/protocol/signed/identity.ts';
import { keyLength, signingKey, type SigningKey } from '../../../src/protocol/signed/key.ts';
import { vdpErrorCodes, vdpModes, type VdpErrorCode } from '../../../src/protocol/vdp/association.ts';
import { encodeDraftVdp } from '../../../src/protocol/vdp/draft.ts';
import { decodeVdpdu, encodeVdpdu } from '../../../src/protocol/vdp/ratified.ts';
import { bridgePort, evb, filled, stationPort, vsi } from './fixtures.ts';
import { bridgeEvb, draftLldp, must, Peer, stationEvb } from './peer.ts';
import { allCaptures, ownCapture } from './pcap.ts';
import { recordedKey } from './recording.ts';
import { Chance } from './simulated-link.ts';

/** The captures' station and bridge. */
const macs: Readonly<Record<EvbRole, MacAddress>> = {
  station: parseMac('02:00:00:00:00:01'),
  bridge: parseMac('02:00:00:00:00:02'),
};
const captured = allCaptures().map(({ octets }) => octets);
const limits = { vsis: 8, filterEntries: 64 };
const otherNeighbours = 4;
/** More than what one frame can hold of associations, answered twice. */
const mostOutputs = 256;
/** What lies around a frame in memory. */
const poison = 0xee;
const profile = parseProfileKey('0x0c/17/1');
const codes = vdpErrorCodes.filter((code): code is VdpErrorCode => code !== 'success');

/** Another octet, another bit, another length, cut off, run on, or a piece of another frame: one to four of them. */
export function mutate(octets: Uint8Array, chance: Chance): Uint8Array {
  let mutated = Uint8Array.from(octets);
  for (let blows = 1 + chance.below(4); blows > 0; blows--) {
    // Mostly behind the addresses, so that the frame is still listened to.
    const at = chance.next() < 0.97 ? 12 + chance.below(mutated.length) : chance.below(12);
    if (at >= mutated.length) continue;
    switch (chance.below(6)) {
      case 0:
        mutated[at] = chance.below(256);
        break;
      case 1:
        mutated[at]! ^= 1 << chance.below(8);
        break;
      case 2:
        mutated[at] = chance.pick([0, 1, 0x7f, 0x80, 0xfe, 0xff]);
        break;
      case 3:
        mutated = mutated.slice(0, at);
        break;
      case 4: {
        const more = Array.from({ length: chance.below(900) }, () => chance.below(256));
        mutated = Uint8Array.from([...mutated, ...more]);
        break;
      }
      default: {
        const other = chance.pick(captured);
        const piece = other.subarray(at, Math.min(other.length, mutated.length, at + 1 + chance.below(60)));
        mutated.set(piece, at);
      }
    }
  }
  return mutated;
}

/** The same octets at the end of memory that holds something else. */
function amidPoison(octets: Uint8Array): Uint8Array {
  const memory = new Uint8Array(octets.length + 64).fill(poison);
  memory.set(octets, 32);
  return memory.subarray(32, 32 + octets.length);
}

function decoders(frame: Uint8Array): Result<unknown>[] {
  const payload = frame.subarray(14);
  const ecpdus = [dialects.ratified.ecp.decode(payload), dialects.draft.ecp.decode(payload)];
  const lldpdu = decodeLldpdu(payload);
  const tlvs = lldpdu.ok
    ? lldpdu.value.tlvs.flatMap((tlv) => (tlv.kind === 'organizational' ? [tlv.info] : []))
    : [payload];
  const vdpdus = ecpdus.map((ecpdu) => (ecpdu.ok ? ecpdu.value.payload : payload));
  return [
    decodeFrame(frame),
    lldpdu,
    ...ecpdus,
    ...tlvs.flatMap((info) => [decodeEvbTlv(info), decodeDraftEvbTlv(info), decodeCdcpTlv(info)]),
    decodeVdpdu(vdpdus[0]!),
    dialects.draft.vdp.decode('bridge', vdpdus[1]!),
    dialects.draft.vdp.decode('station', vdpdus[1]!),
  ];
}

/** What was taken is said again in octets that are taken as the same. */
function assertStable(frame: Uint8Array): void {
  const payload = frame.subarray(14);
  const ratified = dialects.ratified.ecp.decode(payload);
  const vdpdu = ratified.ok ? decodeVdpdu(ratified.value.payload) : ratified;
  if (vdpdu.ok) assert.deepEqual(decodeVdpdu(encodeVdpdu(vdpdu.value)), vdpdu);
  const draft = dialects.draft.ecp.decode(payload);
  const tlvs = draft.ok ? dialects.draft.vdp.decode('station', draft.value.payload) : draft;
  if (!tlvs.ok) return;
  for (const tlv of tlvs.value) if (tlv.kind !== 'other') assert.notEqual(encodeDraftVdp(tlv), null);
}

type Port = ReturnType<typeof bridgePort> | ReturnType<typeof stationPort>;

/** The other end of a signed target: it has the key, or another one. */
class Signer {
  readonly #control: SignedControl;
  readonly #to: Counterpart;

  /** `role`: its own */
  constructor(role: EvbRole, epoch: number, key: SigningKey) {
    const self = identities[role];
    this.#control = new SignedControl(role, signingWith(epoch, key), () => self);
    this.#to = { id: identities[role === 'bridge' ? 'station' : 'bridge'], name: null };
  }

  /** A new signature in place of the last TLV but the End TLV, be that one or not; what is too short stays as it is. */
  sign(octets: Uint8Array): Uint8Array {
    const frame = decodeFrame(octets);
    if (!frame.ok || frame.value.payload.length < 2) return octets;
    const { payload } = frame.value;
    const at = Buffer.from(payload.buffer, payload.byteOffset, payload.length).lastIndexOf(signatureHeader);
    const unsigned = at < 0 ? payload : concat([payload.subarray(0, at), new Uint8Array(2)]);
    return this.#control.sign({ ...frame.value, payload: unsigned }, this.#to, null);
  }
}

const signatureHeader = Buffer.from('fe1c02485002', 'hex');
const [rightKey, wrongKey] = [signingKey(recordedKey), signingKey(new Uint8Array(keyLength))];
/** what the recordings' ends call themselves */
const identities: Readonly<Record<EvbRole, PortIdentity>> = {
  station: ownIdentity({ mac: macs.station, portId: 'eth0' }),
  bridge: ownIdentity({ mac: macs.bridge, portId: 'swp1' }),
};

/** A machine under fire, and what its agent would do. */
class Target {
  readonly role: EvbRole;
  readonly dialect: DialectName;
  readonly port: Port;
  readonly #chance: Chance;
  readonly #tokens: Extract<ReturnType<BridgePort['receive']>[number], { kind: 'request' }>[] = [];
  requests = 0;

  constructor(role: EvbRole, dialect: DialectName, chance: Chance, signing?: SigningOptions) {
    this.role = role;
    this.dialect = dialect;
    this.#chance = chance;
    const evbOf = { ...evb, dialects: [dialect] };
    const options = { mac: macs[role], evb: evbOf, otherNeighbours, ...(signing && { signing }) };
    this.port = role === 'bridge' ? bridgePort({ ...options, limits }) : stationPort(options);
    this.#handle(this.port.linkUp(0));
  }

  /** What a mutated LLDPDU undid, a right one mends, so that ECP and VDP get their share. */
  mend(now: number): void {
    const role = this.role === 'bridge' ? 'station' : 'bridge';
    const peer = macs[role];
    const right = role === 'bridge' ? bridgeEvb : stationEvb;
    this.#handle(
      this.port.receive(this.dialect === 'ratified' ? new Peer(peer).lldp(right) : draftLldp(peer), now),
    );
  }

  receive(frame: Uint8Array, now: number): void {
    this.#handle(this.port.receive(frame, now));
    this.#agent(now);
    this.#handle(this.port.tick(now));
    const deadline = this.port.deadline();
    assert.ok(deadline === null || deadline > now, `still due at ${now}: ${deadline}`);
  }

  /** Whoever took the peer's place by a mutated LLDPDU has it until the link is down. */
  flap(now: number): void {
    this.#handle(this.port.linkDown(now));
    this.#handle(this.port.linkUp(now));
  }

  /** Held to after every so many frames. */
  assertBounded(): void {
    const state = this.port.state();
    assert.ok(state.vsis.length <= limits.vsis, `${state.vsis.length} VSIs`);
    assert.ok(state.otherNeighbours.length <= otherNeighbours);
    if ('pending' in state) assert.ok(state.pending <= limits.vsis);
    assert.doesNotThrow(() => JSON.stringify(state));
  }

  #handle(outputs: readonly ReturnType<Port['receive']>[number][]): void {
    assert.ok(outputs.length <= mostOutputs, `${outputs.length} outputs for one frame`);
    for (const output of outputs) {
      if (output.kind === 'send') assert.ok(output.frame.length >= 60 && output.frame.length <= 1514);
      if (output.kind !== 'request') continue;
      this.requests++;
      this.#tokens.push(output);
      if (this.#tokens.length > 2 * limits.vsis) this.#tokens.shift();
    }
  }

  #agent(now: number): void {
    const { port } = this;
    const chance = this.#chance;
    const dice = chance.below(100);
    if (dice >= 30) return;
    if (!('answer' in port)) {
      if (dice < 2) {
        const description = { ...vsi(chance.below(limits.vsis), chance.pick([0, 100])), profile };
        this.#handle(port.request(description, chance.pick(vdpModes), now));
      }
      return;
    }
    const request = this.#tokens.pop();
    if (!request) return;
    if (dice < 1) this.#handle(port.deassociate(request.vsiId, now));
    const verdict =
      dice < 25
        ? ({ kind: 'accept', filter: filled(request.filter, 42) } as const)
        : ({ kind: 'refuse', code: chance.pick(codes), keep: dice < 28, reason: 'chance' } as const);
    if (port.awaits(request.token)) this.#handle(port.answer(request.token, verdict, now));
  }
}

/** A machine with a key, and the other end of its link: what that signs is right in all but what chance does to it. */
class SignedTarget extends Target {
  readonly #chance: Chance;
  readonly #wrong: Signer;
  #right: Signer;
  #epoch = 1;
  readonly #peer: EvbRole;
  /** what the recording has of the other end */
  readonly #frames: readonly Uint8Array[];
  readonly #hellos: readonly Uint8Array[];
  /** by the right key, lately */
  readonly #sent: Uint8Array[] = [];

  constructor(role: EvbRole, dialect: DialectName, chance: Chance) {
    super(role, dialect, chance, signingWith(1, rightKey));
    this.#chance = chance;
    this.#peer = role === 'bridge' ? 'station' : 'bridge';
    this.#right = new Signer(this.#peer, this.#epoch, rightKey);
    this.#wrong = new Signer(this.#peer, this.#epoch, wrongKey);
    const recorded = ownCapture(`${dialect}-signed`).frames.map(({ octets }) => octets);
    this.#frames = recorded.filter((octets) => must(decodeFrame(octets)).source === macs[this.#peer]);
    this.#hellos = this.#frames.filter((octets) => {
      const { etherType, payload } = must(decodeFrame(octets));
      return etherType === etherTypes.lldp && must(decodeLldpdu(payload)).ttl > 0;
    });
  }

  override mend(now: number): void {
    this.receive(this.#remember(this.#right.sign(this.#hellos.at(-1)!)), now);
  }

  /** The right key over anything, a wrong one, something else than was signed, or what was sent before. */
  provoke(now: number): void {
    const chance = this.#chance;
    const octets = chance.pick(this.#frames);
    switch (chance.below(8)) {
      case 0:
        return this.receive(mutate(this.#right.sign(octets), chance), now);
      case 1:
        return this.receive(this.#wrong.sign(mutate(octets, chance)), now);
      case 2:
        return this.receive(chance.pick(this.#sent), now);
      case 3:
        return this.receive(this.#remember(this.#right.sign(octets)), now);
      default:
        return this.receive(this.#remember(this.#right.sign(mutate(octets, chance))), now);
    }
  }

  #remember(octets: Uint8Array): Uint8Array {
    this.#sent.push(octets);
    if (this.#sent.length > 16) this.#sent.shift();
    return octets;
  }

  /** The other end starts anew. */
  restart(): void {
    this.#right = new Signer(this.#peer, ++this.#epoch, rightKey);
  }

  override assertBounded(): void {
    super.assertBounded();
    assert.ok(this.port.verified.length <= 1, 'one key has verified something');
  }
}

export interface FuzzResult {
  /** of the frames, ECPDUs that were delivered to VDP */
  readonly ecpdus: number;
  /** requests that came through to the agent */
  readonly requests: number;
  readonly malformed: number;
  /** of the targets that have a key: what was verified and delivered to VDP, and what was refused */
  readonly signed: {
    readonly ecpdus: number;
    readonly requests: number;
    readonly refused: Readonly<Record<'unsigned' | 'bad signature' | 'replayed', number>>;
  };
}

/**
 * Mutated frames from the captures against every decoder and against a bridge and a station in either version: nothing
 * throws, is due for ever, reads what is not the frame's, or grows. The same seed takes the same course.
 */
export function fuzz(seed: number, frames: number): FuzzResult {
  const chance = new Chance(seed);
  const targets = (['bridge', 'station'] as const).flatMap((role) =>
    (['ratified', 'draft'] as const).map((dialect) => new Target(role, dialect, chance)),
  );
  const signed = targets.map(({ role, dialect }) => new SignedTarget(role, dialect, chance));
  for (let count = 1, now = 0; count <= frames; count++) {
    now += chance.pick([1, 10, 10, 40]);
    const frame = mutate(chance.pick(captured), chance);
    try {
      if (count % 500 === 0) for (const target of [...targets, ...signed]) target.flap(now);
      if (count % 700 === 0) for (const target of signed) target.restart();
      if (count % 20 === 1) for (const target of [...targets, ...signed]) target.mend(now);
      attack(frame, targets, now, count % 8 === 0);
      if (count % 2 === 0) chance.pick(signed).provoke(now);
      if (count % 1_000 === 0) for (const target of [...targets, ...signed]) target.assertBounded();
    } catch (error) {
      const octets = Buffer.from(frame).toString('hex');
      throw new Error(`seed ${seed}, frame ${count}: ${octets}`, { cause: error });
    }
  }
  const sum = (of: readonly Target[], figure: (target: Target) => number) =>
    of.reduce((total, target) => total + figure(target), 0);
  const ecpdus = ({ port }: Target) => port.state().counters.ecp.rxFrameCount;
  const requests = (target: Target) => target.requests;
  const ignored = (of: readonly Target[], reason: IgnoreReason) =>
    sum(of, ({ port }) => port.state().counters.ignored[reason] ?? 0);
  return {
    ecpdus: sum(targets, ecpdus),
    requests: sum(targets, requests),
    malformed: ignored(targets, 'malformed'),
    signed: {
      ecpdus: sum(signed, ecpdus),
      requests: sum(signed, requests),
      refused: {
        unsigned: ignored(signed, 'unsigned'),
        'bad signature': ignored(signed, 'bad signature'),
        replayed: ignored(signed, 'replayed'),
      },
    },
  };
}

/** Decoders read the frame and nothing around it, write nothing, and what they took can be said again. */
export function assertDecodersHold(frame: Uint8Array): void {
  const poisoned = amidPoison(frame);
  assert.deepEqual(decoders(poisoned), decoders(frame), 'what lies around the frame is nothing to a decoder');
  assert.deepEqual(poisoned, frame, 'a decoder writes nothing');
  assertStable(frame);
}

/** One frame against the decoders, and against the machines that it is meant for. */
function attack(frame: Uint8Array, targets: readonly Target[], now: number, thorough: boolean): void {
  if (thorough) assertDecodersHold(frame);
  else decoders(frame);
  const decoded = decodeFrame(frame);
  const { source, etherType } = decoded.ok ? decoded.value : { source: null, etherType: 0 };
  const role = source === macs.bridge ? 'station' : source === macs.station ? 'bridge' : null;
  const dialect = { [etherTypes.ecp]: 'ratified', [etherTypes.draftEcp]: 'draft' }[etherType];
  for (const target of targets)
    if ((role === null || target.role === role) && (dialect === undefined || target.dialect === dialect))
      target.receive(frame, now);
}
