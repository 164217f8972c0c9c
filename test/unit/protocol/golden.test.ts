import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';
import { decodeEcpdu, encodeEcpdu } from '../../../src/protocol/ecp/ratified.ts';
import { decodeFrame, encodeFrame, type Frame } from '../../../src/protocol/ethernet.ts';
import { etherTypes } from '../../../src/domain/packet-numbers.ts';
import { decodeEvbTlv, encodeEvbTlv, evbOui, evbSubtype } from '../../../src/protocol/evb/ratified.ts';
import { decodeLldpdu, encodeLldpdu } from '../../../src/protocol/lldp/packet.ts';
import type { Result } from '../../../src/base/result.ts';
import { decodeVdpdu, encodeVdpdu } from '../../../src/protocol/vdp/ratified.ts';
import { decodeDraftEcpdu, encodeDraftEcpdu } from '../../../src/protocol/ecp/draft.ts';
import {
  decodeDraftEvbTlv,
  draftEvbSubtype,
  draftOui,
  encodeDraftEvbTlv,
} from '../../../src/protocol/evb/draft.ts';
import { decodeDraftVdp, encodeDraftVdp } from '../../../src/protocol/vdp/draft.ts';
import { encodeTlvs, type Tlv } from '../../../src/protocol/tlv.ts';
import type { OtherTlv, VdpTlv } from '../../../src/protocol/vdp/tlv.ts';
import { cdcpOui, cdcpSubtype, decodeCdcpTlv, encodeCdcpTlv } from '../../../src/protocol/evb/cdcp.ts';
import {
  draftCaptures,
  ownCapture,
  ratifiedCaptures,
  readCapture,
  type Capture,
} from '../../kit/protocol/pcap.ts';
import { recordedKey, recordings } from '../../kit/protocol/recording.ts';

function must<T>(result: Result<T>): T {
  assert.ok(result.ok, result.ok ? '' : result.error.message);
  return result.value;
}

/** Equal but for zeros at the end of the longer one: padding, or the End TLV that lldpad leaves out. */
function assertSameUpToPadding(actual: Uint8Array, expected: Uint8Array, of: Capture): void {
  const shared = Math.min(actual.length, expected.length);
  const where = `${of.name} frame ${of.number}`;
  assert.deepEqual(actual.subarray(0, shared), expected.subarray(0, shared), where);
  const rest = (actual.length > shared ? actual : expected).subarray(shared);
  assert.ok(
    rest.every((octet) => octet === 0),
    `${where}: more than padding differs`,
  );
}

function again(frame: Frame): Uint8Array {
  if (frame.etherType === etherTypes.lldp) {
    const lldpdu = must(decodeLldpdu(frame.payload));
    const tlvs = lldpdu.tlvs.map((tlv) => {
      if (tlv.kind !== 'organizational') return tlv;
      if (tlv.oui === evbOui && tlv.subtype === evbSubtype)
        return { ...tlv, info: encodeEvbTlv(must(decodeEvbTlv(tlv.info))) };
      if (tlv.oui === draftOui && tlv.subtype === draftEvbSubtype)
        return { ...tlv, info: encodeDraftEvbTlv(must(decodeDraftEvbTlv(tlv.info))) };
      if (tlv.oui === cdcpOui && tlv.subtype === cdcpSubtype)
        return { ...tlv, info: encodeCdcpTlv(must(decodeCdcpTlv(tlv.info))) };
      return tlv;
    });
    return encodeLldpdu({ ...lldpdu, tlvs });
  }
  if (frame.etherType === etherTypes.draftEcp) return againInDraft(frame);
  assert.equal(frame.etherType, etherTypes.ecp);
  const ecpdu = must(decodeEcpdu(frame.payload));
  if (ecpdu.operation === 'acknowledgement') return encodeEcpdu(ecpdu);
  const vdpdu = must(decodeVdpdu(ecpdu.payload));
  for (const tlv of vdpdu.tlvs) assert.ok(tlv.kind === 'request' || tlv.kind === 'answer' || isOurs(tlv));
  return encodeEcpdu({ ...ecpdu, payload: encodeVdpdu(vdpdu) });
}

for (const name of ratifiedCaptures)
  test(`every frame of ${name} decodes, and encodes to itself`, () => {
    const captures = readCapture(name);
    assert.ok(captures.length > 5);
    for (const capture of captures) {
      const frame = must(decodeFrame(capture.octets));
      assertSameUpToPadding(encodeFrame({ ...frame, payload: again(frame) }), capture.octets, capture);
    }
  });

/** An acknowledgement of lldpad is as long as what it acknowledges, filled with zeros. */
function againInDraft({ payload, source }: Frame): Uint8Array {
  const ecpdu = must(decodeDraftEcpdu(payload));
  if (ecpdu.operation === 'acknowledgement') {
    assert.ok(ecpdu.payload.every((octet) => octet === 0));
    return encodeDraftEcpdu(ecpdu);
  }
  const reader = source === '02:00:00:00:00:01' ? 'bridge' : 'station';
  const tlvs = must(decodeDraftVdp(reader, ecpdu.payload)).map(encodeDraft);
  return encodeDraftEcpdu({ ...ecpdu, payload: encodeTlvs(tlvs) });
}

/** Our own TLV: the reason behind a refusal, or the signature at the end. */
function isOurs(tlv: VdpTlv): tlv is OtherTlv {
  return (
    tlv.kind === 'other' && tlv.type === 127 && /^024850(02|03)/.test(Buffer.from(tlv.info).toString('hex'))
  );
}

/** Every reason beyond 2 is an "other failure" to us; as such it is told with 4. */
function encodeDraft(tlv: VdpTlv): Tlv {
  if (isOurs(tlv)) return { type: tlv.type, info: tlv.info };
  assert.ok(tlv.kind === 'request' || tlv.kind === 'answer');
  const encoded = encodeDraftVdp(tlv);
  assert.ok(encoded);
  return encoded;
}

/** A captured frame with the responses 3, 5 and 6 told as 4. */
function withoutFineReasons(octets: Uint8Array): Uint8Array {
  const response = 14 + 9 + 2 + 5;
  const isRequest = octets[12] === 0x88 && octets[13] === 0xb7 && octets[20] === 0;
  if (!isRequest || octets[14 + 9] !== 0xfe || octets[response]! <= 2) return octets;
  const plain = Uint8Array.from(octets);
  plain[response] = 4;
  return plain;
}

for (const name of draftCaptures)
  test(`every frame of ${name} decodes, and encodes to itself`, () => {
    const captures = readCapture(name);
    assert.ok(captures.length > 5);
    for (const capture of captures) {
      const frame = must(decodeFrame(capture.octets));
      const payload = again(frame);
      assertSameUpToPadding(encodeFrame({ ...frame, payload }), withoutFineReasons(capture.octets), capture);
    }
  });

for (const [name, record] of Object.entries(recordings))
  test(`our machines send what ${name}.pcap has, and every frame of it encodes to itself`, () => {
    const { file, frames } = ownCapture(name);
    assert.ok(
      Buffer.from(record()).equals(file),
      'if that is meant, run node test/fixtures/hairpin/record.ts',
    );
    for (const capture of frames) {
      const frame = must(decodeFrame(capture.octets));
      assert.deepEqual(encodeFrame({ ...frame, payload: again(frame) }), capture.octets);
    }
  });

/** By the words of docs/security.md, and by nothing of what signs and verifies. */
for (const name of ['ratified-signed', 'draft-signed'])
  test(`each LLDPDU and each request of ${name} but the first is signed: key, roles, both ports, all octets before it`, () => {
    // length, subtype and octets of the chassis id (an address), and of the port id (an interface's name)
    const identity = {
      station: '0604020000000001040565746830',
      bridge: '0604020000000002040573777031',
    };
    const seen = { station: [] as number[], bridge: [] as number[] };
    let unsigned = 0;
    for (const { octets, number } of ownCapture(name).frames) {
      const frame = Buffer.from(octets);
      const isLldp = frame.readUInt16BE(12) === etherTypes.lldp;
      const from = frame[11] === 1 ? 'station' : 'bridge';
      // type 127 and length 28, our OUI, subtype 2
      const at = frame.lastIndexOf(Buffer.from('fe1c02485002', 'hex'));
      if (at < 0) {
        const isRequest = !isLldp && (octets[12] === 0x89 ? (octets[14]! & 0x0c) === 0 : octets[20] === 0);
        assert.ok(!isRequest, `frame ${number}: a request without a signature`);
        if (isLldp) unsigned++;
        continue;
      }
      const [epoch, sequence] = [frame.readUInt32BE(at + 6), frame.readUInt32BE(at + 10)];
      assert.equal(epoch, from === 'bridge' ? 1 : 2);
      seen[from].push(sequence);
      const to = from === 'bridge' ? 'station' : 'bridge';
      const context = `hairpin signed control 1\n${from}\n${identity[from]}\n${identity[to]}\n`;
      const mac = createHmac('sha256', recordedKey)
        .update(context)
        .update(frame.subarray(0, at + 14));
      assert.equal(
        frame.toString('hex', at + 14, at + 30),
        mac.digest('hex').slice(0, 32),
        `frame ${number}`,
      );
      assert.ok(
        frame.subarray(at + 30).every((octet) => octet === 0),
        'End TLV, and padding',
      );
    }
    assert.equal(unsigned, 2, 'the first LLDPDU of each: nobody had said yet that it verifies');
    for (const sequences of Object.values(seen)) {
      assert.ok(sequences.length > 5);
      assert.deepEqual(
        sequences,
        sequences.map((_, i) => i + 1),
      );
    }
  });

test('a request and its refusals in draft 0.2 are read as libvirt and lldpad meant them', () => {
  const tlvsOf = (number: number, reader: 'bridge' | 'station') => {
    const frame = must(decodeFrame(readCapture('11-draft-libvirt-netlink-thirdparty')[number - 1]!.octets));
    return must(decodeDraftVdp(reader, must(decodeDraftEcpdu(frame.payload)).payload));
  };
  assert.deepEqual(tlvsOf(7, 'bridge'), [
    {
      kind: 'request',
      mode: 'associate',
      vsiId: 'fa9b7fff-b0a0-4893-8e0e-beef4ff18f8f',
      profile: { managerId: '0x0c', typeId: 1, typeVersion: 1 },
      filter: { format: 'mac-vid', entries: [{ mac: '52:54:00:c7:3e:ce', vid: 3 }] },
      hints: { migrating: false, suspended: false },
    },
  ]);
  const codes = [48, 52, 56, 60].map((number) => {
    const [tlv] = tlvsOf(number, 'station');
    return tlv?.kind === 'answer' && tlv.refusal?.code;
  });
  assert.deepEqual(codes, ['invalid format', 'insufficient resources', 'other failure', 'other failure']);
});

test('several associations in one ECPDU of draft 0.2', () => {
  const frame = must(decodeFrame(readCapture('12-draft-lldptool-thirdparty')[32]!.octets));
  const tlvs = must(decodeDraftVdp('bridge', must(decodeDraftEcpdu(frame.payload)).payload));
  assert.deepEqual(
    tlvs.map((tlv) => tlv.kind === 'request' && tlv.filter.entries[0]?.mac),
    ['52:54:00:c7:3e:d1', '52:54:00:c7:3e:d0'],
  );
});

function capturedTlv(name: string, number: number) {
  const frame = must(decodeFrame(readCapture(name)[number - 1]!.octets));
  const vdpdu = must(decodeVdpdu(must(decodeEcpdu(frame.payload)).payload));
  assert.equal(vdpdu.tlvs.length, 1);
  return vdpdu.tlvs[0]!;
}

test('lldpad asks for a pre-association', () => {
  assert.deepEqual(capturedTlv('01-ratified-basic', 11), {
    kind: 'request',
    mode: 'pre-associate',
    vsiId: 'a0000000-0000-0000-0000-000000000001',
    profile: { managerId: 'mgr1', typeId: 66051, typeVersion: 7 },
    filter: { format: 'mac-vid', entries: [{ mac: '52:54:00:00:00:01', vid: 100 }] },
    hints: { migrating: false, suspended: false },
  });
});

test('a bridge refuses, out of resources', () => {
  const tlv = capturedTlv('08-ratified-libvirt-netlink', 32);
  assert.ok(tlv.kind === 'answer');
  assert.deepEqual(tlv.refusal, { code: 'insufficient resources', keep: false, hard: false });
  assert.equal(tlv.profile.managerId, '0x0c');
});

test('all filter formats, VID 0, a priority and both hints are read', () => {
  const formats = '03-ratified-all-formats';
  const requests = readCapture(formats)
    .map(({ octets }) => must(decodeFrame(octets)))
    .filter(({ etherType }) => etherType === etherTypes.ecp)
    .map(({ payload }) => must(decodeEcpdu(payload)))
    .filter(({ operation }) => operation === 'request')
    .flatMap(({ payload }) => must(decodeVdpdu(payload)).tlvs)
    .filter((tlv) => tlv.kind === 'request');
  assert.deepEqual(
    new Set(requests.map(({ filter }) => filter.format)),
    new Set(['vid', 'mac-vid', 'group-vid', 'group-mac-vid']),
  );
  const entries = requests.flatMap(({ filter }) => filter.entries);
  assert.ok(entries.some(({ vid, mac }) => vid === 0 && mac === '52:54:00:00:00:06'));
  assert.ok(entries.some(({ pcp }) => pcp === 5));
  assert.ok(entries.some(({ group, vid }) => group === 77777 && vid === 300));
  assert.ok(requests.some(({ hints }) => hints.migrating));
  assert.ok(requests.some(({ hints }) => hints.suspended));
});

test('the EVB TLVs of both sides are read as lldpad meant them', () => {
  const evbOf = (number: number) => {
    const frame = must(decodeFrame(readCapture('01-ratified-basic')[number - 1]!.octets));
    const evb = must(decodeLldpdu(frame.payload)).tlvs.find((tlv) => tlv.kind === 'organizational');
    assert.ok(evb?.kind === 'organizational');
    return must(decodeEvbTlv(evb.info));
  };
  assert.deepEqual(evbOf(2), {
    mode: 'station',
    bridge: { bgid: false, rrcap: false, rrctr: false },
    station: { sgid: true, rrreq: true, rrstat: 3 },
    retries: 3,
    rte: 8,
    rwd: 18,
    rwdRemote: false,
    rka: 18,
    rkaRemote: false,
  });
  assert.deepEqual(evbOf(3).bridge, { bgid: true, rrcap: true, rrctr: true });
  assert.equal(evbOf(3).rwdRemote, true);
});
