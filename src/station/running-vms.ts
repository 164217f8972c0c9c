import { readFileSync } from 'node:fs';
import { z } from 'zod';
import * as form from '../forms/fields.ts';
import { replaceFile } from '../local/replace-file.ts';
import { parseProfileKey, profileKey } from '../domain/profile-ref.ts';
import type { RunningVm } from './parts.ts';

const file = z.array(
  z.object({
    vm: z.string(),
    macs: z.array(form.mac),
    vsis: z.array(z.object({ vsiId: form.vsiId, macs: z.array(form.mac), profile: form.profile })),
  }),
);

/**
 * What toolstacks have announced, in a file beside the control socket: a station agent that is restarted knows its VMs
 * again. It goes with /run at a reboot, as the VMs do. What cannot be read or written costs only that.
 */
export class RunningVmsFile {
  readonly #path: string;
  readonly #warn: (message: string) => void;

  constructor(control: string, warn: (message: string) => void) {
    this.#path = `${control}.vms`;
    this.#warn = warn;
  }

  load(): RunningVm[] {
    try {
      const vms = file.parse(JSON.parse(readFileSync(this.#path, 'utf8')));
      return vms.map(({ vm, macs, vsis }) => ({
        vm,
        macs,
        vsis: vsis.map((vsi) => ({ ...vsi, profile: parseProfileKey(vsi.profile) })),
      }));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') this.#warn(`${this.#path} is not of use`);
      return [];
    }
  }

  save(vms: readonly RunningVm[]): void {
    const written: z.input<typeof file> = vms.map(({ vm, macs, vsis }) => ({
      vm,
      macs: [...macs],
      vsis: vsis.map((vsi) => ({ ...vsi, macs: [...vsi.macs], profile: profileKey(vsi.profile) })),
    }));
    try {
      replaceFile(this.#path, JSON.stringify(written));
    } catch (error) {
      this.#warn(`${this.#path}: ${(error as Error).message}`);
    }
  }
}
