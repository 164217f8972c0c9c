import assert from 'node:assert/strict';
import { it } from 'node:test';
import { FileDirectory } from '../../../src/bridge/knowledge/file-directory.ts';
import { withNames } from '../../../src/bridge/control/vm-names.ts';
import { profile, vsi, vsiIdOf } from '../../kit/manager/support.ts';

it('a message that names a VSI by its VSIID names its VM too, once', () => {
  const directory = new FileDirectory([profile(17)], [vsi(1, profile(17), { name: 'web1' })]);
  const [known, other] = [vsiIdOf(1), vsiIdOf(2)];
  assert.equal(
    withNames(`VSI ${known} associate at p1: granted; VSI ${other}: no; VSI ${known} (web1)`, directory),
    `VSI ${known} (web1) associate at p1: granted; VSI ${other}: no; VSI ${known} (web1)`,
  );
});
