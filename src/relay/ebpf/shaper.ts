import { execFileSync } from 'node:child_process';
import { RelayError, type PortName } from '../relay.ts';

/** A tenant's part of what may leave by a port. */
export interface Share {
  /** the tenant's */
  readonly number: number;
  /** bits per second */
  readonly rate: number;
}

/** bpf/send.h names classes by this handle and the tenants' numbers; what is nobody's goes to the rest. */
const handle = '4850';
const whole = 'fffe';
const rest = 'ffff';
const restRate = 8000;
/** octets that each class sends in its turn of what others leave, so that all borrow alike */
const quantum = 30_000;

/**
 * Puts an HTB on the port, or changes the one that is there: a class for each tenant with a guarantee, and one for all
 * others, which may each borrow up to the whole. Frames that are on their way through it are not lost.
 * @throws RelayError
 */
export function shape(
  port: PortName,
  rate: number,
  shares: readonly Share[],
  before: readonly Share[],
): void {
  const classes = [
    { id: rest, rate: restRate },
    ...shares.map((share) => ({ id: share.number.toString(16), rate: share.rate })),
  ];
  const kept = new Set(shares.map(({ number }) => number));
  const gone = before.filter(({ number }) => !kept.has(number));
  const isThere = shaperOf(port);
  tc(port, [
    ...(isThere ? [] : [`qdisc replace dev ${port} root handle ${handle}: htb default ${rest}`]),
    classOf(port, `${handle}:`, whole, rate, rate),
    ...classes.map((one) => classOf(port, `${handle}:${whole}`, one.id, Math.min(one.rate, rate), rate)),
    ...(isThere
      ? gone.map(({ number }) => `class del dev ${port} classid ${handle}:${number.toString(16)}`)
      : []),
  ]);
}

/** Takes the HTB off the port; nothing if it is not there or the port is gone. */
export function unshape(port: PortName): void {
  if (shaperOf(port)) tc(port, [`qdisc del dev ${port} root handle ${handle}:`]);
}

/** Whether the port has our HTB. */
function shaperOf(port: PortName): boolean {
  try {
    const shown = execFileSync('tc', ['qdisc', 'show', 'dev', port, 'root'], { stdio: 'pipe' });
    return shown.toString().startsWith(`qdisc htb ${handle}: `);
  } catch {
    return false;
  }
}

function classOf(port: PortName, parent: string, id: string, rate: number, ceil: number): string {
  const rates = `rate ${rate}bit ceil ${ceil}bit burst ${burstOf(rate)} cburst ${burstOf(ceil)}`;
  return `class replace dev ${port} parent ${parent} classid ${handle}:${id} htb ${rates} quantum ${quantum}`;
}

/** In octets: 10 ms of the rate, and one super-frame at least. */
function burstOf(rate: number): number {
  return Math.max(65_536, Math.round(rate / 800));
}

function tc(port: PortName, lines: readonly string[]): void {
  try {
    execFileSync('tc', ['-batch', '-'], { input: lines.join('\n'), stdio: 'pipe' });
  } catch (error) {
    const { code, stderr } = error as { readonly code?: string; readonly stderr?: Buffer };
    const why = code === 'ENOENT' ? 'the program "tc" is missing' : String(stderr).trim().split('\n')[0];
    throw new RelayError(`port ${port}: shaper: ${why}`);
  }
}
