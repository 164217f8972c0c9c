import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Host } from './host.ts';
import { until } from './until.ts';
import { raiseUplink, uplink } from './uplink.ts';

export interface StationTimers {
  /** exponents, as in EvbTimers */
  readonly rte: number;
  readonly rwd: number;
  readonly rka: number;
}

/** Starts lldpad as a host's EVB station by 802.1Qbg-2012, on its uplink. */
export async function startStation(host: Host, timers: StationTimers): Promise<void> {
  const path = join(host.directory, 'lldpad.conf');
  writeFileSync(path, ratifiedStation(timers));
  host.start('lldpad', ['lldpad', '-f', path, '-V', '4']);
  await until('lldpad answers', () =>
    host.run(['lldptool', '-p']).then(
      () => true,
      () => false,
    ),
  );
  await raiseUplink(host.namespace);
}

function ratifiedStation({ rte, rwd, rka }: StationTimers): string {
  return `dcbx : { version = "1.0"; dcbx_version = 2; };
nearest_customer_bridge : { ${uplink} : { adminStatus = 3;
  tlvid0080c20d : { enableTx = true; evbmode = "station"; evbrrreq = true; evbgpid = false;
    ecpretries = 3; ecprte = ${rte}; vdprwd = ${rwd}; vdprka = ${rka}; };
}; };
`;
}
