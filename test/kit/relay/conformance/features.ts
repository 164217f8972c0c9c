import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { unguarded, unmarked, type AccessList, type Policy } from '../../../../src/domain/port-profile.ts';
import { parseVid } from '../../../../src/domain/vid.ts';
import { features as all, type Feature } from '../../../../src/relay/contract/capabilities.ts';
import { RelayError } from '../../../../src/relay/contract/relay.ts';
import { at, state } from '../states.ts';
import { ports, type Bench } from './bench.ts';

const mirror = { session: 'probe', direction: 'both' } as const;

/** A policy for each feature that asks for it, and for what it is nothing without. */
const asking: Record<Feature, Partial<Policy>> = {
  trunk: { trunk: [parseVid(20)] },
  'storm control': { storm: { broadcast: { framesPerSecond: 1, burst: 1 } } },
  'DSCP marking': { marking: { ...unmarked, dscp: 0 } },
  'PCP marking': { marking: { ...unmarked, defaultPcp: 1 } },
  'address guard': { guards: { ...unguarded, address: true } },
  'DHCP server guard': { guards: { ...unguarded, dhcpServer: true } },
  'router advertisement guard': { guards: { ...unguarded, routerAdvertisement: true } },
  'control protocol guard': { guards: { ...unguarded, control: true } },
  mirror: { mirror },
  'mirror filter': { mirror: { ...mirror, filter: { rules: [], otherwise: 'deny' } } },
  'mirror truncation': { mirror: { ...mirror, truncate: 64 } },
  'mirror sampling': { mirror: { ...mirror, sample: 2 } },
};

function listOf(count: number): AccessList {
  const rule = { action: 'allow', direction: 'both' } as const;
  return {
    otherwise: 'deny',
    rules: Array.from({ length: count }, (_, i) => ({ ...rule, etherType: 0x600 + i })),
  };
}

export function features({ apply, relay }: Bench): void {
  const withPolicy = (policy: Partial<Policy>) => {
    const { vlan: _, ...rest } = policy;
    return state(ports, { 1: { active: at('s1'), policy: rest } });
  };
  const refuses = (policy: Partial<Policy>, message: RegExp) => {
    const before = relay().held();
    assert.throws(
      () => apply(withPolicy(policy)),
      (error) => error instanceof RelayError && message.test(error.message) && !error.message.includes('\n'),
    );
    assert.deepEqual(relay().held(), before);
  };

  describe('what a relay can do', () => {
    for (const feature of all)
      it(`${feature}: is held, or refused by name`, () => {
        apply(state(ports));
        const { capabilities } = relay();
        if (capabilities.features.has(feature)) {
          apply(withPolicy(asking[feature]));
          assert.deepEqual(relay().held(), withPolicy(asking[feature]));
        } else {
          // a mirror's part may be refused for want of any mirror
          const missing =
            feature.startsWith('mirror') && !capabilities.features.has('mirror') ? 'mirror' : feature;
          refuses(asking[feature], new RegExp(`the ${capabilities.relay} relay has no ${missing}$`));
        }
      });

    it('as many rules as it says, and not one more', () => {
      const { rules } = relay().capabilities;
      apply(withPolicy({ accessList: listOf(rules) }));
      assert.deepEqual(relay().held(), withPolicy({ accessList: listOf(rules) }));
      refuses({ accessList: listOf(rules + 1) }, new RegExp(`${rules + 1} (access )?rules`));
    });
  });
}
