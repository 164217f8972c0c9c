import { siblingScript } from './sibling-script.ts';

/** The command line of the VM's end of the streams, to be run in the VM's namespace. */
export function vmSideCommand(): string[] {
  return [process.execPath, siblingScript(import.meta.url, 'vm-side')];
}
