import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Failure } from '../../base/failure.ts';
import type { DialectName } from '../../domain/dialect.ts';
import { parseVsiId, type VsiId } from '../../domain/vsi-id.ts';
import { nsenter } from '../../linux/net/namespace.ts';
import { run } from '../../linux/run.ts';
import type { EvbTimers } from '../../protocol/evb/timers.ts';
import type { VdpErrorCode, VdpMode } from '../../protocol/vdp/association.ts';

/** lldpad did not start, or did not do what it was told. */
export class LldpadError extends Failure {
  override name = 'LldpadError';
}

export interface LldpadOptions {
  readonly namespace: string;
  readonly link: string;
  /** on which it speaks as well; what it is told later concerns `link` */
  readonly otherLinks?: readonly string[];
  /** for its configuration and its log; made if it is not there */
  readonly directory: string;
  readonly dialect: DialectName;
  /** as a bridge it accepts everything, and does nothing for it; ratified only */
  readonly role?: 'station' | 'bridge';
  readonly timers: EvbTimers;
  readonly groupIds?: boolean;
  readonly reflectiveRelay?: boolean;
}

/** What lldpad is told about a VSI. */
export interface LldpadVsi {
  readonly vsiId: VsiId;
  readonly managerId: string;
  readonly typeId: number;
  readonly typeVersion: number;
  /** "VID", "VID-MAC", "VID--GROUP" or "VID-MAC-GROUP"; the VID may carry a priority: (8 | pcp) << 12 | VID */
  readonly filters: readonly string[];
  readonly hints?: 'none' | 'from' | 'to';
}

/** What vdptool said of a request. `refused`: by lldpad itself, and nothing was sent. */
export type LldpadOutcome =
  | { readonly kind: 'granted' }
  /** null: lldpad does not say why, as with HARD */
  | { readonly kind: 'rejected'; readonly code: VdpErrorCode | null }
  | { readonly kind: 'no answer'; readonly text: string }
  | { readonly kind: 'refused'; readonly text: string };

const modes = {
  'pre-associate': 'preassoc',
  'pre-associate-rr': 'preassoc-rr',
  associate: 'assoc',
  'de-associate': 'deassoc',
} as const satisfies Record<VdpMode, string>;

const graceMs = 3_000;

/**
 * Open-LLDP's lldpad as a station (or bridge) on one link of a namespace, with /run and /dev/shm of its own, where it
 * keeps what there may be one of per machine.
 */
export class Lldpad {
  readonly #options: LldpadOptions;
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown>;

  /** Starts it; it is of use when it has heard a bridge (see `ready`). */
  constructor(options: LldpadOptions) {
    const { namespace, directory } = options;
    this.#options = options;
    mkdirSync(directory, { recursive: true });
    const config = join(directory, 'lldpad.conf');
    writeFileSync(config, configuration(options));
    const script = 'mount -t tmpfs tmpfs /dev/shm && mount -t tmpfs tmpfs /run && exec lldpad -f "$0" -V4';
    const [command, ...args] = nsenter(namespace, ['unshare', '-m', 'sh', '-c', script, config]);
    const log = openSync(this.log, 'a');
    this.#child = spawn(command, args, { stdio: ['ignore', log, log] });
    closeSync(log);
    this.#exited = new Promise((resolve) => {
      this.#child.once('exit', resolve).once('error', resolve);
    });
  }

  get log(): string {
    return join(this.#options.directory, 'lldpad.log');
  }

  /** Also its netlink address. */
  get pid(): number {
    const { pid } = this.#child;
    if (pid === undefined) throw new LldpadError('lldpad did not start: is unshare installed?');
    return pid;
  }

  /** Resolves when VDP can be used. @throws LldpadError if it has ended, or after `timeoutMs` */
  ready(timeoutMs = 15_000): Promise<void> {
    return this.#until(() => this.#isReady(), timeoutMs);
  }

  /** Resolves when it can be asked; a bridge has no need to be ready. @throws LldpadError as `ready` does */
  running(timeoutMs = 15_000): Promise<void> {
    return this.#until(
      async () => (await this.#tool('lldptool', ['-p'])).includes(String(this.pid)),
      timeoutMs,
    );
  }

  async #until(is: () => Promise<boolean>, timeoutMs: number): Promise<void> {
    const end = Date.now() + timeoutMs;
    while (!(await is())) {
      if (this.#child.exitCode !== null || this.#child.signalCode !== null)
        throw new LldpadError(`lldpad ended: ${readFileSync(this.log, 'utf8').trim().split('\n').at(-1)}`);
      if (Date.now() > end) throw new LldpadError(`lldpad was not ready after ${timeoutMs} ms`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** Ratified only. Waits for the bridge's answer, for 5 s at most. */
  async request(mode: VdpMode, vsi: LldpadVsi): Promise<LldpadOutcome> {
    const text = await this.#vdptool([
      '-T',
      '-W',
      '-V',
      modes[mode],
      ...parameters({
        mode: modes[mode],
        mgrid2: vsi.managerId,
        typeid: vsi.typeId,
        typeidver: vsi.typeVersion,
        hints: vsi.hints ?? 'none',
        uuid: vsi.vsiId,
      }),
      ...vsi.filters.flatMap((filter) => ['-c', `filter=${filter}`]),
    ]);
    return outcomeOf(text, modes[mode], vsi.vsiId);
  }

  /** What lldpad holds of a VSI as vdptool prints it; "" if nothing. */
  async held(vsiId: VsiId): Promise<string> {
    for (const mode of ['assoc', 'preassoc-rr', 'preassoc']) {
      const text = await this.#vdptool(['-t', '-V', mode, '-c', `uuid=${vsiId}`]);
      if (text.includes(vsiId)) return text;
    }
    return '';
  }

  /** Which of these lldpad has as associated, the bridge's answer included. */
  async associated(vsiIds: readonly VsiId[]): Promise<VsiId[]> {
    const { namespace, link } = this.#options;
    const script = 'link=$1; shift; for id; do vdptool -i $link -t -V assoc -c uuid=$id; done 2>&1';
    const [command, ...args] = nsenter(namespace, ['sh', '-c', script, 'sh', link, ...vsiIds]);
    const held = (await run(command, args)).matchAll(/uuid = (.*)\n\thints = 0$/gm);
    return Array.from(held, ([, uuid]) => parseVsiId(uuid!));
  }

  /** By SIGTERM it says goodbye by LLDP, and de-associates nothing. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    this.#child.kill(signal);
    const force = setTimeout(() => this.#child.kill('SIGKILL'), graceMs);
    await this.#exited;
    clearTimeout(force);
  }

  async #isReady(): Promise<boolean> {
    if (this.#options.dialect === 'draft') {
      const text = await this.#tool('lldptool', ['-t', '-g', 'ncb', '-V', 'vdp']);
      return text.includes('VDP Bit:yes');
    }
    // never goes on the wire; what it is refused with tells whether VDP is usable
    const unknown = { mgrid2: 'zz', typeid: 1, typeidver: 1, hints: 'none', filter: 4094 };
    const uuid = 'ffffffff-ffff-ffff-ffff-ffffffffff01';
    const text = await this.#vdptool([
      '-T',
      '-V',
      'deassoc',
      ...parameters({ mode: 'deassoc', ...unknown, uuid }),
    ]);
    return text.includes('Invalid parameters');
  }

  #vdptool(args: readonly string[]): Promise<string> {
    return this.#tool('vdptool', args);
  }

  /** Their exit codes say nothing; what they print does. */
  async #tool(name: string, args: readonly string[]): Promise<string> {
    const { namespace, link } = this.#options;
    const [command, ...rest] = nsenter(namespace, [
      'sh',
      '-c',
      '"$@" 2>&1 || :',
      'sh',
      name,
      '-i',
      link,
      ...args,
    ]);
    return run(command, rest);
  }
}

function parameters(values: Readonly<Record<string, string | number>>): string[] {
  return Object.entries(values).flatMap(([key, value]) => ['-c', `${key}=${value}`]);
}

/** lldpad's words for the standard's codes, as they appear in its answers. */
const words: readonly (readonly [RegExp, VdpErrorCode])[] = [
  [/format is invalid/i, 'invalid format'],
  [/insufficient resources/i, 'insufficient resources'],
  [/unable to contact VSI mgr/i, 'unable to contact VSI manager'],
  [/other failure/i, 'other failure'],
  [/invalid vid, groupid or mac/i, 'invalid VID, GroupID or MAC address'],
];

function outcomeOf(text: string, mode: string, vsiId: VsiId): LldpadOutcome {
  const complaint = /FAILED: *(.*)|(.*refused.*)|(.*nvalid argument.*)/.exec(text);
  if (complaint) return { kind: 'refused', text: complaint[0] };
  if (!text.includes(vsiId)) return { kind: 'no answer', text };
  const rejection = /by Bridge: *(.*)/.exec(text)?.[1];
  if (rejection !== undefined) {
    const found = words.find(([pattern]) => pattern.test(rejection));
    if (!found) throw new LldpadError(`vdptool: ${rejection}`);
    return { kind: 'rejected', code: found[1] };
  }
  if (/mode = deassoc$/im.test(text) && mode !== 'deassoc' && !text.includes('Error'))
    return { kind: 'rejected', code: null };
  const granted = new RegExp(`mode = ${mode}$`, 'im').test(text) && !text.includes('Error');
  return granted ? { kind: 'granted' } : { kind: 'no answer', text };
}

/** In libconfig's notation; enough to run without ever being told more. */
function configuration(options: LldpadOptions): string {
  const {
    link,
    otherLinks = [],
    dialect,
    role = 'station',
    timers,
    groupIds = false,
    reflectiveRelay = true,
  } = options;
  const ratified =
    `tlvid0080c20d : { enableTx = true; evbmode = "${role}"; evbrrreq = ${reflectiveRelay}; evbrrcap = ${reflectiveRelay}; ` +
    `evbgpid = ${groupIds}; ecpretries = ${timers.retries}; ecprte = ${timers.rte}; vdprwd = ${timers.rwd}; vdprka = ${timers.rka}; };`;
  const draft =
    `tlvid001b3f00 : { enableTx = true; fmode = "${reflectiveRelay ? 'reflectiverelay' : 'bridge'}"; ` +
    'capabilities = "rte ecp vdp"; rte = "15"; vsis = "3295"; };\nvdp : { enableTx = true; role = "station"; };';
  const tlvs = dialect === 'ratified' ? ratified : draft;
  return [
    'dcbx : { version = "1.0"; dcbx_version = 2; };',
    'nearest_customer_bridge : {',
    ...[link, ...otherLinks].map((link) => `${link} : { adminStatus = 3;\n${tlvs}\n};`),
    '};\n',
  ].join('\n');
}
