import { after, afterEach, before, describe } from 'node:test';
import { accessFields } from './conformance/access-fields.ts';
import { accessLists } from './conformance/access-list.ts';
import { announcements } from './conformance/announcements.ts';
import { application } from './conformance/apply.ts';
import { Bench, type Harness } from './conformance/bench.ts';
import { drops } from './conformance/drops.ts';
import { features } from './conformance/features.ts';
import { forwarding } from './conformance/forwarding.ts';
import { groupFrames } from './conformance/group-frames.ts';
import { guards } from './conformance/guards.ts';
import { learning } from './conformance/learning.ts';
import { linkLocalAddresses } from './conformance/link-locals.ts';
import { lengths } from './conformance/lengths.ts';
import { encapsulation } from './conformance/encapsulation.ts';
import { marking } from './conformance/marking.ts';
import { mirrors } from './conformance/mirror.ts';
import { networkPorts } from './conformance/network-ports.ts';
import { rates } from './conformance/rates.ts';
import { refusals } from './conformance/refusals.ts';
import { tellsNetwork } from './conformance/tells-network.ts';
import { trunks } from './conformance/trunk.ts';

const themes = [
  forwarding,
  groupFrames,
  trunks,
  learning,
  networkPorts,
  guards,
  linkLocalAddresses,
  encapsulation,
  lengths,
  accessLists,
  accessFields,
  rates,
  marking,
  mirrors,
  features,
  application,
  refusals,
  announcements,
  drops,
  tellsNetwork,
];

/** The contract of `Relay`, sentence by sentence, for any driver. */
export function conformance(driver: string, open: () => Promise<Harness>): void {
  describe(`${driver} relay`, () => {
    const bench = new Bench();
    before(() => bench.open(open));
    afterEach(bench.clear);
    after(bench.close);
    for (const theme of themes) theme(bench);
  });
}
