import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Claims, type ClaimChange } from '../../../src/relay/ebpf/tables/claims.ts';
import { RelayError, type RelayVsi } from '../../../src/relay/contract/relay.ts';
import { at, idOf, macOf, vsi } from '../../kit/relay/states.ts';

/** Of the n-th VSI, with two addresses in this VLAN. */
function two(n: number, vlan: number, port = 's1'): RelayVsi {
  return vsi(n, { active: at(port), policy: { vlan }, addresses: [macOf(2 * n), macOf(2 * n + 1)] });
}

function change(n: number, old: RelayVsi | null, now: RelayVsi | null): ClaimChange {
  return { id: idOf(n), old, now };
}

describe('the claims of VSIs', () => {
  const noRoom = (added: number) => (error: unknown) =>
    error instanceof RelayError && error.message.includes(`and ${added} would come`);

  it('need room for old and new destinations at once, though no source comes', () => {
    const claims = new Claims({ destinations: 7, sources: 100 });
    const old = [two(1, 10), two(2, 10)] as const;
    old.forEach((vsi, i) => claims.add(idOf(i + 1), vsi));
    const first = change(1, old[0], two(1, 20));
    claims.check([first]);
    assert.throws(() => claims.check([first, change(2, old[1], two(2, 20))]), noRoom(4));
  });

  it('need room for old and new sources at once, though no destination comes', () => {
    const claims = new Claims({ destinations: 100, sources: 3 });
    const old = two(1, 10);
    claims.add(idOf(1), old);
    claims.check([change(1, old, two(1, 20))]);
    assert.throws(() => claims.check([change(1, old, two(1, 10, 's2'))]), noRoom(2));
  });

  it('may pass from one VSI to another in one change, but not to two', () => {
    const claims = new Claims();
    const old = two(1, 10);
    claims.add(idOf(1), old);
    claims.check([change(1, old, null), change(2, null, old)]);
    assert.throws(
      () => claims.check([change(2, null, old)]),
      new RelayError(`VSI ${idOf(2)}: ${macOf(2)} in VLAN 10 belongs to ${idOf(1)}`),
    );
    assert.throws(
      () => claims.check([change(1, old, null), change(2, null, old), change(3, null, old)]),
      new RelayError(`VSI ${idOf(3)}: ${macOf(2)} in VLAN 10 belongs to ${idOf(2)}`),
    );
  });
});
