import { execFileSync } from 'node:child_process';
import { RelayError, type PortName } from '../contract/relay.ts';

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
 * others, which may each borrow up to the whole. A class goes with all that is queued in it; so one whose guarantee is
 * withdrawn is first left like that of the others, and goes at a later change that finds it empty.
 * @throws RelayError
 */
export function shape(port: PortName, rate: number, shares: readonly Share[]): void {
  const held = shaperOf(port);
  const rates = new Map([[rest, restRate]]);
  for (const share of shares) rates.set(share.number.toString(16), share.rate);
  const gone: string[] = [];
  for (const { id, isLeft } of held ?? []) {
    if (id === whole || rates.has(id)) continue;
    if (isLeft) gone.push(id);
    else rates.set(id, restRate);
  }
  tc(port, [
    ...(held ? [] : [`qdisc replace dev ${port} root handle ${handle}: htb default ${rest}`]),
    classOf(port, `${handle}:`, whole, rate, rate),
    ...Array.from(rates, ([id, its]) => classOf(port, `${handle}:${whole}`, id, Math.min(its, rate), rate)),
    ...gone.map((id) => `class del dev ${port} classid ${handle}:${id}`),
  ]);
}

/** Takes the HTB off the port; nothing if it is not there or the port is gone. One that stays is met by the next process. */
export function unshape(port: PortName): void {
  if (!shaperOf(port)) return;
  try {
    tc(port, [`qdisc del dev ${port} root handle ${handle}:`]);
  } catch (error) {
    if (!(error instanceof RelayError)) throw error;
  }
}

/** The interfaces of this thread's namespace that have our HTB. */
export function shapedInterfaces(): Set<PortName> {
  const shown = show(['qdisc show']) ?? '';
  return new Set(
    Array.from(
      shown.matchAll(new RegExp(`^qdisc htb ${handle}: dev (\\S+) root `, 'gm')),
      ([, name]) => name!,
    ),
  );
}

interface HeldClass {
  readonly id: string;
  /** whether it is empty, and the rest's rate was left to it */
  readonly isLeft: boolean;
}

/** The classes of our HTB at the port; null if it has none. */
function shaperOf(port: PortName): HeldClass[] | null {
  const shown = show([`qdisc show dev ${port} root`, `class show dev ${port}`]);
  if (!shown?.startsWith(`qdisc htb ${handle}: `)) return null;
  const classes = shown.matchAll(
    new RegExp(`^class htb ${handle}:(\\w+) .*? rate (\\w+) [^]*?^ backlog \\w+ (\\d+)p`, 'gm'),
  );
  return Array.from(classes, ([, id, rate, backlog]) => ({
    id: id!,
    isLeft: rate === `${restRate / 1000}Kbit` && backlog === '0',
  }));
}

/** What tc prints, with statistics; null where there is nothing to show, or no tc. */
function show(lines: readonly string[]): string | null {
  try {
    const input = lines.join('\n');
    const args = ['-s', '-batch', '-'];
    return execFileSync('tc', args, { input, stdio: 'pipe', maxBuffer: Infinity }).toString();
  } catch {
    return null;
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
