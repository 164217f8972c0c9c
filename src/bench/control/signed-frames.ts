import { randomBytes } from 'node:crypto';
import { parseMac } from '../../domain/mac-address.ts';
import { parseProfileKey } from '../../domain/profile-ref.ts';
import { parseVid } from '../../domain/vid.ts';
import { threadMs } from '../../linux/clock.ts';
import { dialects } from '../../protocol/dialects.ts';
import { encodeFrame, nearestCustomerBridge, type Frame } from '../../protocol/ethernet.ts';
import { concat } from '../../base/octets.ts';
import { SignedControl, signingWith } from '../../protocol/signed/control.ts';
import type { PortIdentity } from '../../protocol/signed/identity.ts';
import { keyLength, signingKey } from '../../protocol/signed/key.ts';
import { noHints, type VdpRequest } from '../../protocol/vdp/association.ts';
import { BenchError, median, round } from '../report.ts';
import { benchVsi } from './bridge.ts';

export interface FrameCost {
  /** CPU time to sign an ECPDU with one request, in us: beside encoding it */
  readonly signUs: number;
  /** CPU time to verify it, in us */
  readonly verifyUs: number;
}

const turns = 9;
const frames = 2_000;
const { ecp, vdp } = dialects.ratified;

/** What is compiled by then counts: medians over turns, after two that do not count. */
export function measureFrames(): FrameCost {
  const key = signingKey(randomBytes(keyLength));
  const names = { station: 'aa' as PortIdentity, bridge: 'bb' as PortIdentity };
  const station = new SignedControl('station', signingWith(1, key), () => names.station);
  const bridge = new SignedControl('bridge', signingWith(1, key), () => names.bridge);
  const frame = request();
  const plain: number[] = [];
  const signing: number[] = [];
  const verifying: number[] = [];
  for (let turn = -2; turn < turns; turn++) {
    const encoded = cost(() => encodeFrame(frame));
    const made: Uint8Array[] = [];
    const signed = cost(() => made.push(station.sign(frame, { id: names.bridge, name: null }, null)));
    // the last octets of a frame are its TLVs behind the headers of Ethernet and ECP
    const tlvs = made.map((octets) => octets.subarray(14 + frame.payload.length - tlvsOf(frame).length));
    let fresh = 0;
    let next = 0;
    const verified = cost(() => {
      const at = next++;
      const { kind } = bridge.check('ecp', made[at]!, tlvs[at]!, { id: names.station, name: null });
      if (kind === 'fresh') fresh++;
    });
    if (fresh !== frames) throw new BenchError(`${fresh} of ${frames} signatures were right`);
    if (turn < 0) continue;
    plain.push(encoded);
    signing.push(signed);
    verifying.push(verified);
  }
  return { signUs: round(median(signing) - median(plain), 1), verifyUs: round(median(verifying), 1) };
}

/** CPU time for one of `frames` calls, in us. */
function cost(call: () => unknown): number {
  const began = threadMs();
  for (let i = 0; i < frames; i++) call();
  return ((threadMs() - began) * 1_000) / frames;
}

function tlvsOf({ payload }: Frame): Uint8Array {
  const decoded = ecp.decode(payload);
  if (!decoded.ok) throw new BenchError(decoded.error.message);
  return decoded.value.payload;
}

/** An ECPDU that asks for one VSI with one address. */
function request(): Frame {
  const { vsiId, mac, vid } = benchVsi(1);
  const asked: VdpRequest = {
    kind: 'request',
    mode: 'associate',
    vsiId,
    profile: parseProfileKey('0x0c/17/1'),
    filter: { format: 'mac-vid', entries: [{ mac, vid: parseVid(vid) }] },
    hints: noHints,
  };
  const payload = concat([vdp.lead(asked), vdp.encode(asked)!, new Uint8Array(2)]);
  return {
    destination: nearestCustomerBridge,
    source: parseMac('02:00:00:00:00:01'),
    etherType: ecp.etherType,
    payload: ecp.encode({ operation: 'request', subtype: ecp.subtypes.vdp!, sequence: 1, payload }),
  };
}
