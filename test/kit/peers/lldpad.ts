import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Host } from './host.ts';
import { until } from './until.ts';
import { raiseUplink, uplink } from './uplink.ts';

export interface StationTimers {
  /** exponents, as in EvbTimers; draft 0.2 has constants instead */
  readonly rte: number;
  readonly rwd: number;
  readonly rka: number;
}

/** lldpad takes an interface without evb22 settings, and with the older ones, for a station by draft 0.2. */
const settings = {
  ratified: ({ rte, rwd, rka }: StationTimers) => `
  tlvid0080c20d : { enableTx = true; evbmode = "station"; evbrrreq = true; evbgpid = false;
    ecpretries = 3; ecprte = ${rte}; vdprwd = ${rwd}; vdprka = ${rka}; };`,
  draft: () => `
  tlvid001b3f00 : { enableTx = true; fmode = "reflectiverelay"; capabilities = "rte ecp vdp"; rte = "15";
    vsis = "3295"; };
  vdp : { enableTx = true; role = "station"; };`,
};
export type Dialect = keyof typeof settings;
export const dialects = Object.keys(settings) as Dialect[];

/** What lldptool shows when lldpad has heard of EVB from the bridge; before that, it refuses what libvirt asks for. */
const showsEvb = {
  ratified: { options: ['-n'], pattern: /EVB/ },
  draft: { options: ['-V', 'vdp'], pattern: /VDP Bit:yes/ },
};

/**
 * Starts lldpad as a host's EVB station, on an uplink with a bridge at its end, and waits until it knows that. The
 * returned function ends it: it says good-bye by LLDP.
 */
export async function startStation(
  host: Host,
  dialect: Dialect,
  timers: StationTimers,
): Promise<() => Promise<void>> {
  const path = join(host.directory, 'lldpad.conf');
  writeFileSync(
    path,
    `dcbx : { version = "1.0"; dcbx_version = 2; };
nearest_customer_bridge : { ${uplink} : { adminStatus = 3; ${settings[dialect](timers)} }; };
`,
  );
  const lldpad = host.start('lldpad', ['lldpad', '-f', path, '-V', '4']);
  const lldptool = (...options: string[]) => host.run(['lldptool', ...options]).catch(() => 'not yet');
  await until('lldpad answers', async () => /^\d+/.test(await lldptool('-p')));
  await raiseUplink(host.namespace);
  const { options, pattern } = showsEvb[dialect];
  await until('lldpad has heard of EVB', async () =>
    pattern.test(await lldptool('-t', '-g', 'ncb', '-i', uplink, ...options)),
  );
  return async () => {
    const ended = once(lldpad, 'exit');
    lldpad.kill();
    await ended;
  };
}
