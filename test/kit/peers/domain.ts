import type { MacAddress } from '../../../src/domain/mac-address.ts';
import type { VsiId } from '../../../src/domain/vsi-id.ts';
import type { GuestImages } from '../../../src/lab/guest/images.ts';
import { uplink } from './uplink.ts';

export interface DomainPlan {
  readonly name: string;
  readonly mac: MacAddress;
  /** IPv4 with prefix length */
  readonly address: string;
  readonly vsiId: VsiId;
  /** the port profile, as libvirt names it: a manager id of one octet */
  readonly profile: { readonly managerId: number; readonly typeId: number; readonly typeVersion: number };
  readonly images: GuestImages;
  /** a file for what the guest says on its console */
  readonly console: string;
}

/** As of the lab's own guests: libvirt rounds a size to whole MiB, and then QEMU's emulator forgets changed pages. */
const memory = 96 * 1024 * 1024 + 64 * 1024;

/** libvirt's description of a guest of the lab whose NIC is a macvtap (VEPA) with an 802.1Qbg virtual port. */
export function domainXml({ name, mac, address, vsiId, profile, images, console }: DomainPlan): string {
  const parameters = [
    'console=ttyS0 quiet panic=-1 ipv6.disable=1 mitigations=off nokaslr apparmor=0 audit=0 acpi=off',
    `no_timer_check tsc=reliable lpj=4000000 cryptomgr.notests vm_address=${address}`,
  ].join(' ');
  const oddMemory = [
    ['-object', `memory-backend-ram,id=odd,size=${memory}`],
    ['-machine', 'memory-backend=odd', '-m', `${memory / 1024}K`],
  ].flat();
  return `<domain type='qemu' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
  <name>${name}</name>
  <memory unit='b'>${memory}</memory>
  <vcpu>1</vcpu>
  <os>
    <type arch='x86_64' machine='pc'>hvm</type>
    <kernel>${images.kernel}</kernel>
    <initrd>${images.initramfs}</initrd>
    <cmdline>${parameters}</cmdline>
  </os>
  <features><tcg><tb-cache unit='MiB'>64</tb-cache></tcg></features>
  <cpu mode='custom'><model>qemu64</model></cpu>
  <clock><timer name='hpet' present='no'/></clock>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <controller type='usb' model='none'/>
    <memballoon model='none'/>
    <interface type='direct'>
      <mac address='${mac}'/>
      <source dev='${uplink}' mode='vepa'/>
      <virtualport type='802.1Qbg'>
        <parameters managerid='${profile.managerId}' typeid='${profile.typeId}' typeidversion='${profile.typeVersion}'
          instanceid='${vsiId}'/>
      </virtualport>
      <model type='virtio'/>
      <rom enabled='no'/>
    </interface>
    <serial type='file'><source path='${console}' append='on'/></serial>
  </devices>
  <qemu:commandline>${oddMemory.map((value) => `<qemu:arg value='${value}'/>`).join('')}</qemu:commandline>
</domain>
`;
}
