import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { run } from '../../src/linux/run.ts';
import { decodeDraftEcpdu } from '../../src/protocol/ecp/draft.ts';
import { decodeEcpdu } from '../../src/protocol/ecp/ratified.ts';
import { decodeFrame } from '../../src/protocol/ethernet.ts';
import { etherTypes } from '../../src/domain/packet-numbers.ts';
import { vdpErrorCodes, vdpModes } from '../../src/protocol/vdp/association.ts';
import { decodeDraftVdp } from '../../src/protocol/vdp/draft.ts';
import { decodeVdpdu } from '../../src/protocol/vdp/ratified.ts';
import { withReasons } from '../../src/protocol/vdp/reason.ts';
import { stationMac } from '../kit/protocol/fixtures.ts';
import { must } from '../kit/protocol/peer.ts';
import { ownCapture } from '../kit/protocol/pcap.ts';

/** What tshark makes of one of our captures: a row for each frame, a list for each field. */
async function tshark(name: string, fields: readonly string[]): Promise<string[][][]> {
  const file = fileURLToPath(new URL(`../fixtures/hairpin/${name}.pcap`, import.meta.url));
  const wanted = [...fields, '_ws.malformed'].flatMap((field) => ['-e', field]);
  const output = await run('tshark', ['-r', file, '-T', 'fields', ...wanted]);
  const rows = output.split('\n').slice(0, -1);
  return rows.map((row) => {
    const values = row.split('\t');
    assert.equal(values.pop(), '', `${name}: ${row}`);
    return values.map((value) => (value ? value.split(',') : []));
  });
}

const organizational = '127';
const hex = (value: number, digits: number) => `0x${value.toString(16).padStart(digits, '0')}`;
const flag = (value: boolean) => (value ? '1' : '0');

test('tshark reads our LLDPDUs as we mean them', async () => {
  for (const name of ['ratified', 'draft'] as const) {
    const rows = await tshark(name, [
      'lldp.chassis.id.mac',
      'lldp.port.id',
      'lldp.time_to_live',
      'lldp.tlv.system.name',
      'lldp.mgn.addr.ip4',
      'lldp.mgn.addr.ip6',
      'lldp.tlv.enable_system_cap',
      'lldp.tlv.type',
      'lldp.ieee.802_1.subtype',
      'lldp.ieee.802_1qbg.evb_support_caps',
      'lldp.ieee.802_1qbg.evb_retrans_timer',
    ]);
    const lldp = rows.filter(([chassis]) => chassis!.length > 0);
    assert.ok(lldp.length > 5);
    for (const [chassis, port, ttl, ...rest] of lldp) {
      const isStation = chassis![0] === stationMac;
      assert.deepEqual(port, [isStation ? 'eth0' : 'swp1']);
      if (ttl![0] === '0') {
        assert.deepEqual(rest, [[], [], [], [], ['1', '2', '3', '0'], [], [], []]);
        continue;
      }
      assert.deepEqual(ttl, ['121']);
      assert.deepEqual(rest, [
        [isStation ? 'host1' : 'leaf1'],
        ['192.0.2.7'],
        ['2001:db8::7'],
        [isStation ? '0x0080' : '0x0004'],
        ['1', '2', '3', '5', '6', '7', '8', '8', '127', '0'],
        name === 'ratified' ? ['0x0d'] : [],
        name === 'ratified' ? [] : [isStation ? '0x4007' : '0xc007'],
        name === 'ratified' ? [] : ['8'],
      ]);
    }
  }
});

test('tshark reads what is signed as what is not, with one TLV more, and finds nothing wrong with it', async () => {
  const fields = ['eth.type', 'lldp.tlv.type', 'lldp.unknown_subtype', 'ecp.op', 'ecp.mode', 'vdp21.tlvtype'];
  for (const name of ['ratified', 'draft'] as const) {
    const rows = await tshark(`${name}-signed`, fields);
    const frames = ownCapture(`${name}-signed`).frames;
    assert.equal(rows.length, frames.length);
    let signed = 0;
    rows.forEach(([etherType, types, subtypes, operation, mode, tlvs], i) => {
      const { octets } = frames[i]!;
      const hasSignature = Buffer.from(octets).includes(Buffer.from('fe1c02485002', 'hex'));
      signed += Number(hasSignature);
      if (etherType![0] === hex(etherTypes.lldp, 4)) {
        assert.equal(subtypes!.at(-1) === '2', hasSignature, `${name} frame ${i + 1}`);
        assert.deepEqual(types!.slice(-2), [organizational, '0']);
        return;
      }
      assert.equal(Number([...operation!, ...mode!][0]) === 0, hasSignature, `${name} frame ${i + 1}`);
      // Wireshark 4.0 takes it for one more association in draft 0.2
      if (name === 'ratified' && hasSignature) assert.equal(tlvs!.at(-1), organizational);
    });
    assert.ok(signed > 15, `${signed} with a signature`);
  }
});

test('tshark reads S-channels and TLVs that nobody knows', async () => {
  assert.deepEqual(await tshark('lldp', ['lldp.tlv.type', 'lldp.ieee.802_1.subtype', 'lldp.port.desc']), [
    [['1', '2', '3', '127', '4', '127', '127', '0'], ['0x0d', '0x0e'], ['uplink']],
    [['1', '2', '3', '0'], [], []],
    [['1', '2', '3', '5', '6', '7', '8', '8', '127', '127', '127', '0'], ['0x0d', '0x0e'], []],
  ]);
});

/** It reads PRE-ASSOC with its name alone, and filter info wrongly. */
test('tshark reads our ECPDUs and VDPDUs as we do, but for what Wireshark 4.0 has wrong', async () => {
  const rows = await tshark('ratified', [
    'ecp.op',
    'ecp.subtype',
    'ecp.seqno',
    'vdp21.tlvtype',
    'vdp21.vsitypeid',
    'vdp21.vsiversion',
    'vdp21.VSIID',
    'vdp21.filterformat',
    'vdp21.assoc.flags.mbit',
    'vdp21.assoc.flags.sbit',
    'vdp21.assoc.flags.keep',
    'vdp21.assoc.flags.hard_error',
  ]);
  let associations = 0;
  ownCapture('ratified').frames.forEach(({ octets }, i) => {
    const frame = must(decodeFrame(octets));
    if (frame.etherType !== etherTypes.ecp) return;
    const { operation, subtype, sequence, payload } = must(decodeEcpdu(frame.payload));
    const [op, sub, seq, types, ...fields] = rows[i]!;
    assert.deepEqual(
      [op, sub, seq],
      [[hex(Number(operation !== 'request'), 4)], [hex(subtype, 4)], [`${sequence}`]],
    );
    if (operation !== 'request') return;
    const tlvs = withReasons(must(decodeVdpdu(payload)).tlvs);
    const known = tlvs.filter((tlv) => tlv.kind === 'request' || tlv.kind === 'answer');
    const reasoned = (tlv: (typeof known)[number]) =>
      tlv.kind === 'answer' && tlv.refusal?.reason !== undefined;
    const seen = known.flatMap((tlv) => [
      `${vdpModes.indexOf(tlv.mode) + 1}`,
      ...(reasoned(tlv) ? [organizational] : []),
    ]);
    assert.deepEqual(types, ['5', ...seen]);
    const full = known.filter(({ mode }) => mode === 'associate' || mode === 'de-associate');
    associations += full.length;
    const formats = ['vid', 'mac-vid', 'group-vid', 'group-mac-vid'];
    const requests = full.flatMap((tlv) => (tlv.kind === 'request' ? [tlv.hints] : []));
    const answers = full.flatMap((tlv) => (tlv.kind === 'answer' ? [tlv.refusal] : []));
    assert.deepEqual(fields, [
      full.map(({ profile }) => hex(profile.typeId, 6)),
      full.map(({ profile }) => hex(profile.typeVersion, 2)),
      full.map(({ vsiId }) => vsiId.replaceAll('-', '').match(/../g)!.join(':')),
      full.map(({ filter }) => hex(formats.indexOf(filter.format) + 1, 2)),
      requests.map(({ migrating }) => flag(migrating)),
      requests.map(({ suspended }) => flag(suspended)),
      answers.map((refusal) => flag(refusal?.keep === true)),
      answers.map((refusal) => flag(refusal?.hard === true)),
    ]);
  });
  assert.ok(associations > 30, `${associations} associations`);
});

test('tshark reads our ECPDUs of draft 0.2 as we do', async () => {
  const rows = await tshark('draft', [
    'ecp.mode',
    'ecp.seq',
    'ecp.vdp.mode',
    'ecp.vdp.response',
    'ecp.vdp.mgrid',
    'ecp.vdp.vsitypeid',
    'ecp.vdp.vsitypeidversion',
    'ecp.vdp.instanceid',
    'ecp.vdp.mac',
    'ecp.vdp.vlan',
  ]);
  const responses: Readonly<Record<string, number>> = {
    [vdpErrorCodes[1]]: 1,
    [vdpErrorCodes[2]]: 2,
    [vdpErrorCodes[4]]: 4,
  };
  let associations = 0;
  ownCapture('draft').frames.forEach(({ octets }, i) => {
    const frame = must(decodeFrame(octets));
    if (frame.etherType !== etherTypes.draftEcp) return;
    const { operation, sequence, payload } = must(decodeDraftEcpdu(frame.payload));
    const [mode, seq, ...fields] = rows[i]!;
    assert.deepEqual([mode, seq], [[hex(Number(operation !== 'request'), 2)], [hex(sequence, 4)]]);
    if (operation !== 'request') return;
    const read = withReasons(
      must(decodeDraftVdp(frame.source === stationMac ? 'bridge' : 'station', payload)),
    );
    const tlvs = read.filter((tlv) => tlv.kind === 'request' || tlv.kind === 'answer');
    associations += tlvs.length;
    const entries = tlvs.flatMap(({ filter }) => filter.entries);
    const expected = [
      tlvs.map(({ mode }) => hex(vdpModes.indexOf(mode), 2)),
      tlvs.map((tlv) => hex(tlv.kind === 'answer' && tlv.refusal ? responses[tlv.refusal.code]! : 0, 2)),
      tlvs.map(() => '0x0c'),
      tlvs.map(({ profile }) => hex(profile.typeId, 6)),
      tlvs.map(({ profile }) => hex(profile.typeVersion, 2)),
      tlvs.map(({ vsiId }) => vsiId.replaceAll('-', '')),
      entries.map(({ mac }) => mac),
      entries.map(({ vid }) => `${vid}`),
    ];
    // it reads a reason, which is the last TLV, as one more association
    const reasoned = tlvs.some((tlv) => tlv.kind === 'answer' && tlv.refusal?.reason !== undefined);
    const seen = reasoned ? fields.map((field, j) => field.slice(0, expected[j]!.length)) : fields;
    assert.deepEqual(seen, expected);
  });
  assert.ok(associations > 30, `${associations} associations`);
});
