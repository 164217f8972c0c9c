import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { macToBytes, parseMac } from '../../../src/domain/mac-address.ts';
import type { BridgePort, BridgePortOptions } from '../../../src/protocol/bridge-port.ts';
import { decodeEcpdu } from '../../../src/protocol/ecp/ratified.ts';
import { decodeFrame } from '../../../src/protocol/ethernet.ts';
import { etherTypes } from '../../../src/domain/packet-numbers.ts';
import { decodeLldpdu } from '../../../src/protocol/lldp/packet.ts';
import { interval } from '../../../src/protocol/lldp/transmitter.ts';
import type { SigningOptions } from '../../../src/protocol/signed/control.ts';
import { signingKey, type SigningKey } from '../../../src/protocol/signed/key.ts';
import { findSignature, hairpinOui } from '../../../src/protocol/signed/tlv.ts';
import { Numbering } from '../../../src/protocol/signed/numbering.ts';
import type { StationPort, StationPortOptions } from '../../../src/protocol/station-port.ts';
import { bridgePort, evb, stationMac, stationPort, vsi, vsiId } from '../../kit/protocol/fixtures.ts';
import { isLldp, isRequest, isSigned } from '../../kit/protocol/signed-frames.ts';
import { asked, freshStationEvb, must, Peer, stationEvb, told } from '../../kit/protocol/peer.ts';

const keyOf = (n: number) => signingKey(new Uint8Array(32).fill(n));
/** Keep-alives are not at issue where they are far away. */
const evbSlow = { ...evb, timers: { ...evb.timers, rka: 22 } };
const [k1, k2, k3] = [keyOf(1), keyOf(2), keyOf(3)];

function signing(epoch: number, ...keys: SigningKey[]): SigningOptions {
  return { numbering: new Numbering(epoch), canSign: () => keys.length > 0, keysOf: () => keys };
}

/** As a bridge has them: by the stations' names. */
function keyring(epoch: number, keys: Readonly<Record<string, SigningKey[]>>): SigningOptions {
  return { numbering: new Numbering(epoch), canSign: () => true, keysOf: (name) => keys[name ?? ''] ?? [] };
}

type Output = ReturnType<BridgePort['receive']>[number] | ReturnType<StationPort['receive']>[number];
type Port = BridgePort | StationPort;

/** Two machines on a link without loss; every frame is kept, and can be stopped or changed on its way. */
class Pair {
  bridge: BridgePort;
  station: StationPort;
  now = 0;
  readonly toBridge: Uint8Array[] = [];
  readonly toStation: Uint8Array[] = [];
  readonly told: Output[] = [];
  /** frames to the bridge: what becomes of them */
  way: (frame: Uint8Array) => Uint8Array | null = (frame) => frame;

  constructor(bridge: Partial<BridgePortOptions>, station: Partial<StationPortOptions>) {
    this.bridge = bridgePort({ evb: evbSlow, ...bridge });
    this.station = stationPort({ evb: evbSlow, ...station });
    this.#hand(this.bridge, this.bridge.linkUp(0));
    this.#hand(this.station, this.station.linkUp(0));
    this.pass(5_000);
  }

  pass(ms: number): void {
    for (const end = this.now + ms; ;) {
      const due = [this.bridge, this.station].map((port) => port.deadline() ?? Infinity);
      const next = Math.min(...due, end);
      this.now = Math.max(this.now, next);
      if (Math.min(...due) > end) return;
      for (const port of [this.bridge, this.station]) this.#hand(port, port.tick(this.now));
    }
  }

  do(step: (pair: this) => Output[] | void, of: 'bridge' | 'station' = 'bridge'): void {
    this.#hand(this[of], step(this) ?? []);
  }

  /** Whoever sends it. */
  inject(frame: Uint8Array): Output[] {
    const outputs = this.bridge.receive(frame, this.now);
    this.#hand(this.bridge, outputs);
    return outputs;
  }

  ask(n: number): void {
    this.do(() => this.station.request(vsi(n), 'associate', this.now), 'station');
    this.pass(20);
  }

  restartBridge(options: Partial<BridgePortOptions>): void {
    const { station, verified } = this.bridge;
    const held = this.bridge.state().vsis;
    this.bridge = bridgePort({
      evb: evbSlow,
      ...options,
      ...(station && { station }),
      ...(options.signing && { signing: { ...options.signing, verified } }),
    });
    this.bridge.adopt(held, this.now);
    this.#hand(this.bridge, this.bridge.linkUp(this.now));
    this.pass(5_000);
  }

  restartStation(options: Partial<StationPortOptions>): void {
    const { verified } = this.station;
    this.station = stationPort({
      evb: evbSlow,
      ...options,
      ...(options.signing && { signing: { ...options.signing, verified } }),
    });
    this.#hand(this.station, this.station.linkUp(this.now));
    this.pass(5_000);
  }

  get neighbour() {
    return this.bridge.state().neighbour?.systemName ?? null;
  }

  get held() {
    return this.bridge.state().vsis.map(({ vsiId }) => vsiId);
  }

  get ignored() {
    return this.bridge.state().counters.ignored;
  }

  #hand(from: Port, outputs: readonly Output[]): void {
    for (const output of outputs) {
      if (output.kind === 'request') {
        if (this.bridge.awaits(output.token))
          this.#hand(this.bridge, this.bridge.answer(output.token, { kind: 'accept' }, this.now));
      } else if (output.kind !== 'send') this.told.push(output);
      else if (from === this.bridge) {
        this.toStation.push(output.frame);
        this.#hand(this.station, this.station.receive(output.frame, this.now));
      } else if (from === this.station) {
        const frame = this.way(output.frame);
        if (!frame) continue;
        this.toBridge.push(frame);
        this.#hand(this.bridge, this.bridge.receive(frame, this.now));
      }
    }
  }
}

const signed = (...keys: SigningKey[]) =>
  new Pair({ signing: keyring(100, { host1: keys }) }, { signing: signing(200, ...keys) });

const last = (frames: readonly Uint8Array[], which: (frame: Uint8Array) => boolean) =>
  frames.findLast(which) ?? assert.fail('no such frame');

test('with a key at both ends all LLDPDUs but the first, and all ECP requests, are signed, both ways', () => {
  const pair = signed(k1);
  pair.ask(1);
  assert.deepEqual([pair.bridge.trust, pair.station.trust, pair.held], ['signed', 'signed', [vsiId(1)]]);
  for (const frames of [pair.toBridge, pair.toStation]) {
    const [first, ...lldpdus] = frames.filter(isLldp);
    assert.equal(isSigned(first!), false, 'nobody had said yet that it verifies');
    assert.ok(lldpdus.length >= 2 && lldpdus.every(isSigned));
    assert.ok(frames.filter(isRequest).length > 0 && frames.filter(isRequest).every(isSigned));
    const acknowledgements = frames.filter((frame) => !isLldp(frame) && !isRequest(frame));
    assert.ok(acknowledgements.length > 0 && !acknowledgements.some(isSigned));
  }
  assert.deepEqual(pair.ignored, {});
});

test('whoever cannot verify, or has no key, gets no signature; and without keys nothing says that there could be one', () => {
  const own = (frames: readonly Uint8Array[]) =>
    frames
      .filter(isLldp)
      .flatMap((frame) =>
        must(decodeLldpdu(must(decodeFrame(frame)).payload)).tlvs.filter(
          (tlv) => tlv.kind === 'organizational' && tlv.oui === hairpinOui,
        ),
      );
  const bridgeOnly = new Pair({ signing: keyring(100, { host1: [k1] }) }, {});
  const stationOnly = new Pair({}, { signing: signing(200, k1) });
  for (const [pair, offers, silent] of [
    [bridgeOnly, bridgeOnly.toStation, bridgeOnly.toBridge],
    [stationOnly, stationOnly.toBridge, stationOnly.toStation],
  ] as const) {
    pair.ask(1);
    assert.deepEqual([pair.bridge.trust, pair.held], ['first use', [vsiId(1)]]);
    assert.ok(
      own(offers).length > 0 &&
        own(offers).every((tlv) => tlv.kind === 'organizational' && tlv.subtype === 1),
    );
    assert.deepEqual(own(silent), []);
    assert.ok(![...pair.toBridge, ...pair.toStation].some(isSigned));
  }
});

test('keys that do not fit: as if there were none, and both sides say so', () => {
  const pair = new Pair({ signing: keyring(100, { host1: [k1] }) }, { signing: signing(200, k2) });
  pair.ask(1);
  assert.deepEqual(
    [pair.bridge.trust, pair.station.trust, pair.held],
    ['first use', 'first use', [vsiId(1)]],
  );
  for (const side of ['bridge', 'station'] as const)
    assert.ok(pair[side].state().counters.ignored['bad signature']! > 0, side);
});

/** What a VM can do: everything but sign. Each frame has the station's own address, and its chassis and port. */
test('once a signature was verified nothing unsigned counts, whoever it seems to be from', () => {
  const pair = signed(k1);
  pair.ask(1);
  const stationLldp = last(pair.toBridge, isLldp);
  const { payload } = must(decodeFrame(stationLldp));
  const lldpdu = must(decodeLldpdu(payload));
  const unsign = (octets: Uint8Array) => {
    const whole = Uint8Array.from(octets);
    const { etherType, payload } = must(decodeFrame(whole));
    const at = etherType === etherTypes.lldp ? payload : must(decodeEcpdu(payload)).payload;
    const { mac } = findSignature(at)!;
    whole.fill(0, mac.byteOffset - 18 + 4); // the TLV's header is the End TLV then
    return whole;
  };
  const goodbye = new Peer(stationMac);
  const forged = [
    unsign(stationLldp),
    unsign(last(pair.toBridge, isRequest)),
    goodbye.lldp(null, 0),
    goodbye.lldp(freshStationEvb),
    goodbye.ecp(999, [asked('de-associate', vsi(1))]),
    new Peer(parseMac('02:00:00:00:00:66')).lldp(stationEvb, 121, 'evil'),
  ];
  assert.equal(lldpdu.ttl, 121);
  for (const frame of forged) pair.inject(frame);
  assert.deepEqual([pair.bridge.trust, pair.neighbour, pair.held], ['signed', 'host1', [vsiId(1)]]);
  assert.equal(pair.ignored.unsigned! >= 4, true, JSON.stringify(pair.ignored));
  pair.bridge.linkDown(pair.now);
  pair.bridge.linkUp(pair.now); // which the station does not hear
  for (let i = 0; i < 40; i++) for (const frame of forged) pair.bridge.receive(frame, pair.now);
  assert.equal(pair.bridge.trust, 'pinned');
  assert.equal(pair.neighbour, null);
  pair.do(({ station }) => [...station.linkDown(pair.now), ...station.linkUp(pair.now)], 'station');
  pair.pass(100);
  assert.deepEqual([pair.bridge.trust, pair.neighbour, pair.held], ['signed', 'host1', [vsiId(1)]]);
});

test('a flood of LLDP from a VM does not keep a station that signs from its port over a flap', () => {
  const pair = signed(k1);
  pair.ask(1);
  for (let round = 0; round < 10; round++) {
    pair.do(({ bridge }) => [...bridge.linkDown(pair.now), ...bridge.linkUp(pair.now)]);
    const evil = new Peer(parseMac('02:00:00:00:00:66'));
    for (let i = 0; i < 500; i++) pair.inject(evil.lldp(freshStationEvb, 121, i % 2 ? 'evil' : 'host1'));
    pair.do(({ station }) => [...station.linkDown(pair.now), ...station.linkUp(pair.now)], 'station');
    pair.pass(3_000);
    assert.deepEqual([pair.bridge.trust, pair.held], ['signed', [vsiId(1)]], `round ${round}`);
  }
});

test('no bit of what is signed can be changed, and nothing cut off', () => {
  const pair = signed(k1);
  pair.ask(1);
  // frames that have not arrived yet, so that they would be fresh
  const fresh: Uint8Array[] = [];
  pair.way = (frame) => {
    fresh.push(frame);
    return null;
  };
  pair.do(() => pair.station.request(vsi(2), 'associate', pair.now), 'station');
  pair.pass(interval + 1_000);
  pair.way = (frame) => frame;
  const victims = [fresh.find(isRequest)!, last(fresh, isLldp)];
  assert.ok(victims.every(isSigned));
  for (const victim of victims) {
    const signature = findSignature(
      isLldp(victim) ? victim.subarray(14) : must(decodeEcpdu(victim.subarray(14))).payload,
    )!;
    const length = signature.mac.byteOffset - victim.byteOffset + signature.mac.length;
    const before = JSON.stringify([pair.held, pair.bridge.trust, pair.bridge.station, pair.bridge.verified]);
    fc.assert(
      fc.property(fc.nat(8 * length - 1), (bit) => {
        const changed = Uint8Array.from(victim);
        changed[bit >> 3]! ^= 1 << (bit & 7);
        const outputs = told(pair.bridge.receive(changed, pair.now));
        assert.ok(
          !outputs.some(({ kind }) => kind === 'request' || kind === 'neighbour' || kind === 'renewed'),
        );
      }),
      { numRuns: 500 },
    );
    for (let cut = 14; cut < length; cut++) pair.bridge.receive(victim.subarray(0, cut), pair.now);
    assert.equal(
      JSON.stringify([pair.held, pair.bridge.trust, pair.bridge.station, pair.bridge.verified]),
      before,
    );
  }
  pair.inject(victims[0]!);
  assert.deepEqual(pair.held, [vsiId(1), vsiId(2)], 'as it was sent it counts');
});

test('a repeat with an equal counter is acknowledged again and not delivered; what is older is refused', () => {
  const pair = signed(k1);
  pair.ask(1);
  const first = last(pair.toBridge, isRequest);
  const again = pair.bridge.receive(first, pair.now);
  assert.deepEqual(
    again.map(({ kind }) => kind),
    ['send'],
  );
  assert.equal(pair.bridge.state().counters.ecp.rxRepeatCount, 1);
  pair.ask(2);
  assert.deepEqual(
    told(pair.bridge.receive(first, pair.now)).map((each) => each.kind === 'ignored' && each.reason),
    ['replayed'],
  );
  const old = last(pair.toBridge, isLldp);
  const { verified } = pair.bridge;
  pair.inject(old);
  assert.deepEqual(pair.bridge.verified, verified, 'an LLDPDU once more is nothing new');
  pair.pass(interval);
  pair.inject(old);
  assert.equal(pair.ignored.replayed, 2);
});

test('a repeat of ECP arrives although an LLDPDU was signed in between, and is delivered once', () => {
  const pair = signed(k1);
  let lost = 0;
  pair.way = (frame) => (isRequest(frame) && lost++ < 2 ? null : frame);
  pair.do(() => pair.station.request(vsi(1), 'associate', pair.now), 'station');
  pair.do(() => pair.station.keysChanged(pair.now), 'station');
  pair.pass(100);
  assert.ok(lost >= 3);
  assert.deepEqual(pair.held, [vsiId(1)]);
});

test("neither the bridge's own frames sent back, nor those of another link, nor of another port count", () => {
  const pair = signed(k1);
  pair.ask(1);
  const swap = (frame: Uint8Array) => {
    const turned = Uint8Array.from(frame);
    turned.set(macToBytes(stationMac), 6);
    return turned;
  };
  const elsewhere = new Pair(
    { signing: keyring(100, { host1: [k1] }), portId: 'swp2' },
    { signing: signing(300, k1) },
  );
  elsewhere.ask(2);
  const other = new Pair(
    { signing: keyring(100, { host1: [k1] }) },
    { signing: signing(300, k1), portId: 'eth9' },
  );
  other.ask(3);
  for (const frame of [
    ...pair.toStation.map(swap),
    ...elsewhere.toBridge,
    ...other.toBridge.filter(isRequest),
  ])
    if (isRequest(frame) || isLldp(frame)) pair.inject(frame);
  assert.deepEqual([pair.neighbour, pair.held, pair.bridge.trust], ['host1', [vsiId(1)], 'signed']);
  assert.ok(pair.ignored['bad signature']! > 4);
});

test('a bridge that restarts knows what it knew: unsigned is refused, old frames too, and the station goes on', () => {
  const pair = signed(k1);
  pair.ask(1);
  const { toBridge } = pair;
  const before = [...toBridge];
  const { station, verified } = pair.bridge;
  assert.equal(station?.key, k1.fingerprint);
  // the attacker is first
  const bridge = bridgePort({
    signing: { ...keyring(101, { host1: [k1] }), verified },
    ...(station && { station }),
  });
  bridge.linkUp(pair.now);
  for (const frame of [...before, new Peer(stationMac).lldp(freshStationEvb)])
    bridge.receive(frame, pair.now);
  assert.deepEqual([bridge.trust, bridge.state().neighbour], ['pinned', null]);
  pair.restartBridge({ signing: keyring(101, { host1: [k1] }) });
  assert.deepEqual([pair.bridge.trust, pair.held], ['signed', [vsiId(1)]]);
  for (const frame of before) pair.inject(frame);
  assert.deepEqual([pair.bridge.trust, pair.held], ['signed', [vsiId(1)]]);
  pair.ask(2);
  assert.deepEqual(pair.held, [vsiId(1), vsiId(2)]);
});

test('a port that is taken away and comes back while the bridge runs is known again at once, and counts on', () => {
  const own = keyring(100, { host1: [k1] });
  const pair = new Pair({ signing: own }, { signing: signing(200, k1) });
  pair.ask(1);
  pair.restartBridge({ signing: own });
  assert.deepEqual([pair.bridge.trust, pair.station.trust], ['signed', 'signed']);
  pair.ask(2);
  assert.deepEqual(pair.held, [vsiId(1), vsiId(2)]);
  assert.equal(pair.station.state().counters.ignored.replayed ?? 0, 0);
});

test('after a restart of the bridge no ECPDU counts that was signed before the LLDPDU by which it knows the station again', () => {
  const pair = signed(k1);
  pair.ask(1);
  const { verified, station } = pair.bridge;
  const associate = last(pair.toBridge, isRequest);
  pair.do(() => pair.station.request(vsi(1), 'de-associate', pair.now), 'station');
  pair.pass(50);
  // what was remembered last was the LLDPDU before the request
  assert.ok(verified[0]);
  pair.restartBridge({ signing: keyring(101, { host1: [k1] }), ...(station && { station }) });
  assert.deepEqual(pair.held, []);
  pair.inject(associate);
  assert.deepEqual(pair.held, []);
  assert.equal(pair.ignored.replayed, 1);
});

test('a station that restarts is known again at once, by a larger epoch; with a smaller one it is refused until `unpin`', () => {
  const pair = signed(k1);
  pair.ask(1);
  pair.restartStation({ signing: signing(201, k1) });
  assert.deepEqual([pair.bridge.trust, pair.station.trust, pair.held], ['signed', 'signed', [vsiId(1)]]);
  pair.ask(1);
  const renewed = pair.told.filter(({ kind }) => kind === 'renewed');
  assert.ok(renewed.length > 0, 'its first ECPDU is not taken for one of the run before');

  pair.restartStation({ signing: signing(7, k1) });
  pair.pass(200_000);
  assert.equal(pair.bridge.trust, 'pinned');
  assert.ok(pair.ignored.replayed! > 0);
  pair.do(({ bridge }) => bridge.unpin(pair.now));
  assert.deepEqual(pair.bridge.verified, []);
  pair.pass(2 * interval);
  assert.equal(pair.bridge.trust, 'signed');
});

test('a station that lost its key is refused until `unpin`, and believed on first use after it', () => {
  const pair = signed(k1);
  pair.ask(1);
  pair.restartStation({});
  pair.pass(interval);
  assert.ok(pair.ignored.unsigned! > 0);
  pair.do(({ bridge }) => bridge.unpin(pair.now));
  pair.pass(interval);
  assert.deepEqual([pair.bridge.trust, pair.neighbour], ['first use', 'host1']);
});

test('a change of keys loses nothing: the bridge gets both, then the station the new one, then the bridge it alone', () => {
  const keys: Record<string, SigningKey[]> = { host1: [k1] };
  const pair = new Pair({ signing: keyring(100, keys) }, { signing: signing(200, k1) });
  pair.ask(1);
  keys.host1 = [k1, k2];
  pair.restartStation({ signing: signing(201, k2) });
  assert.deepEqual([pair.bridge.trust, pair.station.trust, pair.held], ['signed', 'signed', [vsiId(1)]]);
  assert.equal(pair.bridge.station?.key, k2.fingerprint);
  keys.host1 = [k2];
  pair.ask(2);
  pair.pass(interval);
  assert.deepEqual(
    [pair.bridge.trust, pair.station.trust, pair.held],
    ['signed', 'signed', [vsiId(1), vsiId(2)]],
  );
  // what was signed with the old key does not count any more, nor does it with both known
  keys.host1 = [k2, k1];
  const { verified } = pair.bridge;
  for (const frame of pair.toBridge.slice()) pair.inject(frame);
  assert.deepEqual(pair.bridge.verified, verified);
  assert.equal(pair.bridge.station?.key, k2.fingerprint);
});

test('a station that changes its key while it runs is answered with the new one at once, also if its LLDPDU is lost', () => {
  const keys: Record<string, SigningKey[]> = { host1: [k1, k2] };
  const own = [k1];
  const pair = new Pair({ signing: keyring(100, keys) }, { signing: signing(200, ...own) });
  const station = { ...signing(201), canSign: () => true, keysOf: () => own };
  pair.restartStation({ signing: station });
  pair.ask(1);
  own[0] = k2;
  pair.way = (frame) => (isLldp(frame) ? null : frame);
  pair.ask(2);
  assert.deepEqual(
    pair.station.state().vsis.map(({ association }) => association),
    ['associated', 'associated'],
  );
  assert.deepEqual([pair.bridge.station?.key, pair.bridge.trust], [k2.fingerprint, 'signed']);
  assert.deepEqual(pair.told.at(-1)?.kind, 'granted');
  assert.ok(pair.told.filter(({ kind }) => kind === 'place').length > 0, 'the next run knows it');
  assert.deepEqual(pair.station.state().counters.ignored, {});
});

test('a station that signs takes the port from one that does not, at once, with its VSIs', () => {
  const bridge = bridgePort({ signing: keyring(100, { host1: [k1] }), evb: { ...evbSlow } });
  bridge.linkUp(0);
  const evil = new Peer(parseMac('02:00:00:00:00:66'));
  bridge.receive(evil.lldp(stationEvb, 121, 'evil'), 0);
  const [request] = told(bridge.receive(evil.ecp(1, [asked('associate', vsi(1))]), 1));
  assert.ok(request?.kind === 'request');
  bridge.answer(request.token, { kind: 'accept' }, 2);
  const station = stationPort({ signing: signing(200, k1) });
  // as if the bridge's LLDP had come before the link was up for the other
  let now = 10;
  let frames = station.linkUp(now);
  for (let turn = 0; turn < 6; turn++) {
    const answers = frames.flatMap((each) => (each.kind === 'send' ? bridge.receive(each.frame, now) : []));
    const heard = turn === 0 ? bridge.keysChanged((now += 2_000)) : answers;
    frames = [...heard].flatMap((each) => (each.kind === 'send' ? station.receive(each.frame, now) : []));
    frames.push(...station.tick((now += 1_100)));
  }
  assert.deepEqual([bridge.trust, bridge.station?.mac], ['signed', stationMac]);
  assert.deepEqual(
    bridge.state().vsis.map(({ vsiId }) => vsiId),
    [vsiId(1)],
  );
});

test('of two that sign the first keeps the port as long as it is heard; after that the other has it at once', () => {
  const keys = { host1: [k1], host2: [k3] };
  const pair = new Pair(
    { signing: keyring(100, keys), evb: evbSlow },
    { signing: signing(200, k1), evb: evbSlow },
  );
  pair.ask(1);
  const mac = parseMac('02:00:00:00:00:03');
  const second = stationPort({ signing: signing(300, k3), mac, systemName: 'host2', evb: evbSlow });
  const speak = (): void => {
    second.linkDown(pair.now);
    let frames = second.linkUp(pair.now);
    for (const frame of pair.toStation.filter(isLldp).slice(-1))
      frames = frames.concat(second.receive(frame, pair.now));
    frames = frames.concat(second.tick(pair.now + 1_500));
    pair.now += 1_500;
    for (const each of frames) if (each.kind === 'send') pair.inject(each.frame);
  };
  speak();
  assert.deepEqual([pair.neighbour, pair.bridge.state().secondStation?.systemName], ['host1', 'host2']);
  pair.bridge.linkDown(pair.now);
  pair.bridge.linkUp(pair.now);
  speak();
  assert.deepEqual([pair.neighbour, pair.bridge.trust, pair.held], ['host2', 'signed', [vsiId(1)]]);
  const { keepAliveSupervision } = pair.bridge.state().timers;
  const gone = told(pair.bridge.tick(pair.now + keepAliveSupervision)).filter(
    ({ kind }) => kind === 'released',
  );
  assert.equal(gone.length, 1, 'it has not claimed it');
});

test('a signature is no change of what LLDP says: with it as many LLDPDUs are sent as without', () => {
  const plain = new Pair({}, {});
  const pair = signed(k1);
  for (const each of [plain, pair]) {
    each.toBridge.length = each.toStation.length = 0;
    each.pass(20 * interval);
  }
  const count = ({ toBridge, toStation }: Pair) =>
    [toBridge, toStation].map((frames) => frames.filter(isLldp).length);
  assert.deepEqual(count(pair), count(plain));
  const changes = pair.told.filter(({ kind }) => kind === 'neighbour');
  assert.equal(changes.length, 2, 'each side has met the other once');
});

test('an ECPDU that is as long as ECPDUs become has room for its signature', () => {
  const pair = signed(k1);
  for (let n = 1; n <= 200; n++) pair.station.request(vsi(n), 'associate', pair.now);
  pair.pass(2_000);
  assert.equal(pair.held.length, 200);
  const lengths = pair.toBridge.filter(isRequest).map(({ length }) => length);
  assert.ok(Math.max(...lengths) > 1_400 && Math.max(...lengths) <= 1_514, String(Math.max(...lengths)));
  assert.ok(pair.toBridge.filter(isRequest).every(isSigned));
});
