import { existsSync, rmSync } from 'node:fs';
import koffi from 'koffi';
import { checkBpf, lastComplaint, libbpf } from './library.ts';
import { libc, SystemError } from '../libc.ts';

/** Where in an interface a program looks at frames. */
export type Hook = 'ingress' | 'egress';

/**
 * Our program at a hook of an interface, which outlives the process. From Linux 6.6 on it is a TCX link, pinned at `pin`;
 * before, a tc filter, direct action, at a clsact qdisc.
 */
export interface Attachment {
  readonly hook: Hook;
  readonly ifindex: number;
  readonly pin: string;
}

export const tcxTypes = { ingress: 46, egress: 47 } as const; // BPF_TCX_INGRESS, BPF_TCX_EGRESS
export const clsactHooks = { ingress: 1, egress: 2 } as const; // BPF_TC_INGRESS, BPF_TC_EGRESS
const bothHooks = 3;
export const replaceFlag = 1; // BPF_TC_F_REPLACE

/**
 * Attaches; a program of ours that is there already is replaced between two frames.
 * @returns whether the clsact qdisc had to be made for it
 * @throws SystemError
 */
export function attachProgram(it: Attachment, programFd: number, subject: string): boolean {
  if (replaceTcx(it, programFd, subject)) return false;
  const bpf = libbpf();
  const link = bpf.linkCreate(programFd, it.ifindex, tcxTypes[it.hook], null);
  lastComplaint();
  if (link === -koffi.os.errno['EINVAL']!) return attachClsact(it, programFd, subject);
  checkBpf(link, 'TCX link on', subject);
  try {
    checkBpf(bpf.pin(link, it.pin), 'pin of the TCX link on', subject);
  } finally {
    libc().close(link);
  }
  return false;
}

/**
 * Attaches at ingress until the returned function is called, or this process ends; before Linux 6.6, until the interface
 * goes. @throws SystemError
 */
export function holdIngress(ifindex: number, programFd: number, subject: string): () => void {
  const link = libbpf().linkCreate(programFd, ifindex, tcxTypes.ingress, null);
  lastComplaint();
  if (link === -koffi.os.errno['EINVAL']!) {
    attachClsact({ hook: 'ingress', ifindex, pin: '' }, programFd, subject);
    return () => {};
  }
  checkBpf(link, 'TCX link on', subject);
  return () => {
    libc().close(link);
  };
}

/** `attachProgram` for kernels before 6.6. */
export function attachClsact({ hook, ifindex }: Attachment, programFd: number, subject: string): boolean {
  const bpf = libbpf();
  const made = bpf.hookCreate(hookOf(ifindex, clsactHooks[hook]));
  lastComplaint();
  if (made < 0 && made !== -koffi.os.errno['EEXIST']!) checkBpf(made, 'clsact qdisc on', subject);
  checkBpf(
    bpf.attach(hookOf(ifindex, clsactHooks[hook]), filter(programFd, replaceFlag)),
    'tc filter on',
    subject,
  );
  return made === 0;
}

/** Detaches our program, with the clsact qdisc if told so; nothing if it is not there or the interface is gone. */
export function detachProgram({ hook, ifindex, pin }: Attachment, withQdisc: boolean): void {
  const bpf = libbpf();
  const link = openLink(pin);
  if (link !== null) {
    bpf.linkDetach(link); // closing alone would detach it some time later
    libc().close(link);
    rmSync(pin, { force: true });
  } else if (withQdisc) bpf.hookDestroy(hookOf(ifindex, bothHooks));
  else bpf.detach(hookOf(ifindex, clsactHooks[hook]), filter());
  lastComplaint();
}

/** Whether the interface has a tc ingress program, of ours or another's, where ours would be. */
export function hasIngress(ifindex: number): boolean {
  const bpf = libbpf();
  const count = new Uint8Array(4);
  const asked = bpf.query(ifindex, tcxTypes.ingress, 0, null, null, count);
  const filtered = bpf.tcQuery(hookOf(ifindex, clsactHooks.ingress), filter());
  lastComplaint();
  return filtered === 0 || (asked === 0 && new DataView(count.buffer).getUint32(0, true) > 0);
}

/** Whether a link of ours was there; one whose interface is gone makes room. @throws SystemError */
function replaceTcx({ pin }: Attachment, programFd: number, subject: string): boolean {
  const link = openLink(pin);
  if (link === null) return false;
  try {
    const result = libbpf().linkUpdate(link, programFd, null);
    if (result !== -koffi.os.errno['ENOLINK']!) return checkBpf(result, 'TCX link on', subject) === 0;
    rmSync(pin, { force: true });
    return false;
  } finally {
    libc().close(link);
  }
}

function openLink(pin: string): number | null {
  if (!existsSync(pin)) return null;
  const link = libbpf().openPin(pin);
  if (link < 0) throw new SystemError('open eBPF link', pin, -link);
  return link;
}

export function hookOf(ifindex: number, attachPoint: number): Uint8Array {
  const bytes = new Uint8Array(24); // struct bpf_tc_hook
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt(bytes.length), true);
  view.setInt32(8, ifindex, true);
  view.setUint32(12, attachPoint, true);
  return bytes;
}

/** struct bpf_tc_opts: the one filter of ours, by handle and priority. */
export function filter(programFd = 0, flags = 0, handle = 1): Uint8Array {
  const bytes = new Uint8Array(32);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt(bytes.length), true);
  view.setInt32(8, programFd, true);
  view.setUint32(12, flags, true);
  view.setUint32(20, handle, true);
  view.setUint32(24, 1, true); // priority
  return bytes;
}
