import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { parseManagerId } from '../../../src/domain/manager-id.ts';
import { dialects } from '../../../src/protocol/dialects.ts';
import type { BridgePortOutput } from '../../../src/protocol/bridge-port.ts';
import type { VdpAnswer } from '../../../src/protocol/vdp/association.ts';
import { encodeReason, withReasons } from '../../../src/protocol/vdp/reason.ts';
import type { VdpTlv } from '../../../src/protocol/vdp/tlv.ts';
import { bridgePort, profile, stationPort, vsi, vsiId } from '../../kit/protocol/fixtures.ts';
import { must } from '../../kit/protocol/peer.ts';

const refused = (n: number, reason?: string): VdpAnswer => ({
  kind: 'answer',
  mode: 'associate',
  ...vsi(n),
  profile: { ...profile, managerId: parseManagerId('0x0c') },
  refusal: { code: 'other failure', keep: false, hard: false, ...(reason !== undefined && { reason }) },
});

function decoded(name: 'ratified' | 'draft', tlvs: readonly VdpAnswer[]): readonly VdpTlv[] {
  const { vdp } = dialects[name];
  const end = Uint8Array.of(0, 0);
  const octets = [vdp.lead(tlvs[0]!), ...tlvs.map((tlv) => vdp.encode(tlv)!), end];
  return must(vdp.decode('station', Buffer.concat(octets)));
}

test('the octets of a reason', () => {
  assert.equal(
    Buffer.from(encodeReason(refused(1, 'né'))).toString('hex'),
    `fe1702485003${vsiId(1).replaceAll('-', '')}6ec3a9`,
  );
  assert.equal(encodeReason(refused(1)).length, 0);
  assert.equal(encodeReason({ ...refused(1), refusal: null }).length, 0);
});

test('a reason of any words survives, in both versions, beside others', () => {
  const words = fc.string({ minLength: 1, maxLength: 60, unit: 'grapheme-ascii' });
  fc.assert(
    fc.property(words, (reason) => {
      const answers = [refused(1, reason), refused(2), refused(3, reason)];
      assert.deepEqual(decoded('ratified', answers), answers);
      const reasons = decoded('draft', answers).map((tlv) => tlv.kind === 'answer' && tlv.refusal?.reason);
      assert.deepEqual(reasons, [reason, undefined, reason]);
    }),
  );
});

test('a long reason is cut between characters, and what is no reason of the answer before is left alone', () => {
  const [answer] = decoded('ratified', [refused(1, 'é'.repeat(1000))]);
  assert.equal(answer?.kind === 'answer' && answer.refusal?.reason, 'é'.repeat(127));
  const strange = { kind: 'other', type: 127, info: encodeReason(refused(2, 'no')).subarray(2) } as const;
  assert.deepEqual(withReasons([strange, refused(1), strange]), [strange, refused(1), strange]);
  const control = { kind: 'other', type: 127, info: encodeReason(refused(1, 'a\nb')).subarray(2) } as const;
  assert.deepEqual(withReasons([refused(1), control]), [refused(1, 'a\u{fffd}b')]);
});

test('a refusal’s reason is for Hairpin’s stations alone', () => {
  for (const [systemDescription, expected] of [
    ['Hairpin', 'no such VM'],
    ['lldpad', null],
  ] as const) {
    const station = stationPort({ systemDescription });
    const bridge = bridgePort();
    const reasons: (string | null)[] = [];
    const atBridge = (outputs: readonly BridgePortOutput[], now: number): void => {
      for (const output of outputs)
        if (output.kind === 'request')
          atBridge(
            bridge.answer(output.token, { kind: 'refuse', code: 'other failure', reason: 'no such VM' }, now),
            now,
          );
        else if (output.kind === 'send') {
          atStation(station.receive(output.frame, now), now);
        }
    };
    const atStation = (outputs: ReturnType<typeof station.tick>, now: number): void => {
      for (const output of outputs)
        if (output.kind === 'refused') reasons.push(output.reason);
        else if (output.kind === 'send') atBridge(bridge.receive(output.frame, now), now);
    };
    atBridge(bridge.linkUp(0), 0);
    atStation(station.linkUp(0), 0);
    for (let now = 1000; now < 4000; now += 1000) {
      atStation(station.tick(now), now);
      atBridge(bridge.tick(now), now);
    }
    atStation(station.request(vsi(1), 'associate', 5000), 5000);
    assert.deepEqual(reasons, [expected], systemDescription);
  }
});
