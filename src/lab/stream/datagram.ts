/**
 * The streams' datagrams (UDP payload; all numbers big-endian). The peer sends probes to the VM, the VM beacons to
 * where the latest probe came from, unless that one asked for silence. When a measurement is over the peer asks which
 * probes the VM has received. `run` tells one measurement from the next: a VM takes a greater one as a new beginning
 * and counts from zero.
 *
 *     probe    "HpTo" | sequence 32 | run 64          "HpTq": the same, and the VM is to be silent
 *     beacon   "HpFr" | sequence 32 | run 64 | distinct 32 | duplicated 32 | highest 32
 *     query    "HpQu" | from 32     | run 64
 *     answer   "HpAn" | from 32     | run 64 | duplicated 32 | a bit for each sequence from `from` on, the lowest first:
 *              1 for received
 */
export const vmPort = 7979;

/** both streams' interval */
export const intervalUs = 1000;

/** how many sequences an answer tells of; `from` is a multiple of it */
export const answerSpan = 8192;

export interface Probe {
  /** counts from 0 within the run */
  readonly sequence: number;
  readonly run: bigint;
  /** the VM is to send nothing until another probe comes */
  readonly quiet: boolean;
}

export interface Beacon {
  /** counts from 0 since the VM started */
  readonly sequence: number;
  readonly run: bigint;
  /** what the VM has received of this run so far: different probes, and second copies */
  readonly distinct: number;
  readonly duplicated: number;
  /** the greatest probe sequence so far; 0 before the first */
  readonly highest: number;
}

export interface Query {
  readonly from: number;
  readonly run: bigint;
}

export interface Answer extends Query {
  /** second copies, of the whole run */
  readonly duplicated: number;
  /** `answerSpan` bits */
  readonly received: Uint8Array;
}

const probeMagic = 0x4870546f;
const quietProbeMagic = 0x48705471;
const beaconMagic = 0x48704672;
const queryMagic = 0x48705175;
const answerMagic = 0x4870416e;
const headLength = 16;
const beaconLength = 28;
const bitsOffset = headLength + 4;
const answerLength = bitsOffset + answerSpan / 8;

export function encodeProbe({ sequence, run, quiet }: Probe): Uint8Array {
  return head(headLength, quiet ? quietProbeMagic : probeMagic, sequence, run);
}

/** null unless it is a probe */
export function decodeProbe(bytes: Uint8Array): Probe | null {
  if (bytes.length !== headLength) return null;
  const { magic, number, run } = readHead(bytes);
  if (magic !== probeMagic && magic !== quietProbeMagic) return null;
  return { sequence: number, run, quiet: magic === quietProbeMagic };
}

export function encodeBeacon(beacon: Beacon): Uint8Array {
  const bytes = head(beaconLength, beaconMagic, beacon.sequence, beacon.run);
  const view = viewOf(bytes);
  view.setUint32(16, beacon.distinct);
  view.setUint32(20, beacon.duplicated);
  view.setUint32(24, beacon.highest);
  return bytes;
}

/** null unless it is a beacon; octets behind it (an Ethernet frame's padding) do not matter */
export function decodeBeacon(bytes: Uint8Array): Beacon | null {
  if (bytes.length < beaconLength) return null;
  const { magic, number: sequence, run } = readHead(bytes);
  if (magic !== beaconMagic) return null;
  const view = viewOf(bytes);
  return {
    sequence,
    run,
    distinct: view.getUint32(16),
    duplicated: view.getUint32(20),
    highest: view.getUint32(24),
  };
}

export function encodeQuery({ from, run }: Query): Uint8Array {
  return head(headLength, queryMagic, from, run);
}

/** null unless it is a query */
export function decodeQuery(bytes: Uint8Array): Query | null {
  if (bytes.length !== headLength) return null;
  const { magic, number: from, run } = readHead(bytes);
  return magic === queryMagic && from % answerSpan === 0 ? { from, run } : null;
}

export function encodeAnswer({ from, run, duplicated, received }: Answer): Uint8Array {
  const bytes = head(answerLength, answerMagic, from, run);
  viewOf(bytes).setUint32(headLength, duplicated);
  bytes.set(received, bitsOffset);
  return bytes;
}

/** null unless it is an answer; what it has received is a copy */
export function decodeAnswer(bytes: Uint8Array): Answer | null {
  if (bytes.length < answerLength) return null;
  const { magic, number: from, run } = readHead(bytes);
  if (magic !== answerMagic) return null;
  const duplicated = viewOf(bytes).getUint32(headLength);
  return { from, run, duplicated, received: bytes.slice(bitsOffset, answerLength) };
}

function head(length: number, magic: number, number: number, run: bigint): Uint8Array {
  const view = new DataView(new ArrayBuffer(length));
  view.setUint32(0, magic);
  view.setUint32(4, number);
  view.setBigUint64(8, run);
  return new Uint8Array(view.buffer);
}

function readHead(bytes: Uint8Array): { magic: number; number: number; run: bigint } {
  const view = viewOf(bytes);
  return { magic: view.getUint32(0), number: view.getUint32(4), run: view.getBigUint64(8) };
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
