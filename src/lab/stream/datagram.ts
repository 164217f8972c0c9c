/**
 * The streams' datagrams (UDP payload; all numbers big-endian). The peer sends probes to the VM, the VM beacons to
 * where the latest probe came from. `run` tells one measurement from the next: a VM takes a greater one as a new
 * beginning and counts from zero.
 *
 *     probe    "HpTo" | sequence 32 | run 64
 *     beacon   "HpFr" | sequence 32 | run 64 | distinct 32 | duplicated 32 | highest 32
 */
export const vmPort = 7979;

/** both streams' interval */
export const intervalUs = 1000;

export interface Probe {
  /** counts from 0 within the run */
  readonly sequence: number;
  readonly run: bigint;
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

const probeMagic = 0x4870546f;
const beaconMagic = 0x48704672;
const probeLength = 16;
const beaconLength = 28;

export function encodeProbe({ sequence, run }: Probe): Uint8Array {
  const view = new DataView(new ArrayBuffer(probeLength));
  view.setUint32(0, probeMagic);
  view.setUint32(4, sequence);
  view.setBigUint64(8, run);
  return new Uint8Array(view.buffer);
}

/** null unless it is a probe */
export function decodeProbe(bytes: Uint8Array): Probe | null {
  if (bytes.length !== probeLength) return null;
  const view = viewOf(bytes);
  if (view.getUint32(0) !== probeMagic) return null;
  return { sequence: view.getUint32(4), run: view.getBigUint64(8) };
}

export function encodeBeacon(beacon: Beacon): Uint8Array {
  const view = new DataView(new ArrayBuffer(beaconLength));
  view.setUint32(0, beaconMagic);
  view.setUint32(4, beacon.sequence);
  view.setBigUint64(8, beacon.run);
  view.setUint32(16, beacon.distinct);
  view.setUint32(20, beacon.duplicated);
  view.setUint32(24, beacon.highest);
  return new Uint8Array(view.buffer);
}

/** null unless it is a beacon; octets behind it (an Ethernet frame's padding) do not matter */
export function decodeBeacon(bytes: Uint8Array): Beacon | null {
  if (bytes.length < beaconLength) return null;
  const view = viewOf(bytes);
  if (view.getUint32(0) !== beaconMagic) return null;
  return {
    sequence: view.getUint32(4),
    run: view.getBigUint64(8),
    distinct: view.getUint32(16),
    duplicated: view.getUint32(20),
    highest: view.getUint32(24),
  };
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
