import { ip } from '../../linux/run.ts';
import {
  addCollector,
  collector,
  makeBed,
  makeNamespace,
  port,
  uplink,
  type Bed,
  type Built,
} from '../bed.ts';
import { Path } from '../path.ts';
import { makeBridge } from '../peers/bridge.ts';
import { filterBridge, type NftStyle } from '../peers/nftables.ts';
import { hasOpenVswitch, OpenVswitch } from '../peers/openvswitch.ts';
import { mirrorTo, shape } from '../peers/traffic-control.ts';
import { forbidden } from '../policy.ts';
import { frame, vm } from '../vms.ts';

/** A way to attach a VM to a host's uplink. */
export interface Host {
  readonly name: string;
  /** of the profile, those that the host itself applies; null: none, the switch does */
  readonly rules: number | null;
  readonly missing: string | null;
  readonly build: (site: Site, undo: AsyncDisposableStack) => Promise<Built>;
}

/** Where it is to be done: the VM's namespace is empty yet. */
interface Site extends Bed {
  readonly vm: string;
}

const [self, other] = [vm(0), vm(1)];
const vmLink = 'eth0';
/** the host's end of a VM's link, as libvirt calls it */
const vnet = 'vnet0';
const macs = { [vnet]: [self.mac], [uplink]: [other.mac] };
const rules = 100;

export const names = {
  vepa: 'VEPA',
  bridge: (style: NftStyle) => `bridge, nft ${style} of ${rules}, htb, mirror`,
  openVswitch: `Open vSwitch, ${rules} rules, meters, mirror`,
};

export function hosts(): Host[] {
  return [
    { name: names.vepa, rules: null, missing: null, build: attachByMacvlan },
    bridge('list'),
    bridge('sets'),
    {
      name: names.openVswitch,
      rules,
      missing: hasOpenVswitch() ? null : 'Debian package openvswitch-switch is not installed',
      build: async (site, undo) => {
        await attachByVeth(site);
        await addCollector(site.host, undo);
        const it = await OpenVswitch.start({
          namespace: site.host,
          ports: { [vnet]: [self], [uplink]: [other] },
          rules,
          mirror: collector,
        });
        undo.defer(() => it.stop());
        return { pid: it.pid };
      },
    },
  ];
}

function bridge(style: NftStyle): Host {
  return {
    name: names.bridge(style),
    rules,
    missing: null,
    build: async (site, undo) => {
      const namespace = site.host;
      await attachByVeth(site);
      await addCollector(namespace, undo);
      await makeBridge({ namespace, ports: macs });
      await filterBridge({ namespace, rules, style, port: vnet, vms: [self] });
      for (const link of [vnet, uplink]) await shape(namespace, link);
      await mirrorTo(namespace, vnet, collector);
      return {};
    },
  };
}

async function attachByMacvlan({ host, vm: namespace }: Site): Promise<Built> {
  await ip(host, [
    `link add link ${uplink} name ${vnet} address ${self.mac} type macvlan mode vepa`,
    `link set dev ${vnet} name ${vmLink} netns ${namespace}`,
  ]);
  await ip(namespace, [`link set dev ${vmLink} up`]);
  return {};
}

async function attachByVeth({ host, vm: namespace }: Site): Promise<void> {
  await ip(host, [
    `link add ${vnet} type veth peer name ${vmLink} address ${self.mac} netns ${namespace}`,
    `link set dev ${vnet} up`,
  ]);
  await ip(namespace, [`link set dev ${vmLink} up`]);
}

/** From the VM to the switch's port, and from there to the VM. */
export async function pathsThrough(
  { name, rules, build }: Host,
  undo: AsyncDisposableStack,
): Promise<{ readonly out: Path; readonly in: Path }> {
  const site = { ...(await makeBed()), vm: await makeNamespace('vm') };
  const built = await build(site, undo);
  const vmEnd = { namespace: site.vm, link: vmLink };
  const switchEnd = { namespace: site.switch, link: port };
  const open = (name: string, from: typeof vmEnd, to: typeof vmEnd) =>
    undo.adopt(new Path({ name, from, to, ...built }), (it) => it.close());
  const out = open(`${name}, from the VM`, vmEnd, switchEnd);
  const into = open(`${name}, to the VM`, switchEnd, vmEnd);
  out.check(frame(self, other, 64), rules === null ? [] : forbidden(rules));
  into.check(frame(other, self, 64), []);
  return { out, in: into };
}
