import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, readFileSync, openSync, closeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Endpoint } from '../../lab/stream/frames.ts';
import { nsenter } from '../../linux/net/namespace.ts';
import { run } from '../../linux/run.ts';
import { otherCore } from '../core.ts';
import { deniedHost, rate } from '../policy.ts';
import { BenchError } from '../report.ts';
import { vmNetwork } from '../vms.ts';

const program = '/usr/sbin/ovs-vswitchd';
const schema = '/usr/share/openvswitch/vswitch.ovsschema';
const graceMs = 10_000;

export function hasOpenVswitch(): boolean {
  return existsSync(program) && existsSync(schema);
}

export interface OpenVswitchOptions {
  readonly namespace: string;
  /** by port, the VMs that are there */
  readonly ports: Readonly<Record<string, readonly Endpoint[]>>;
  /** of the benchmark's policy, at least one */
  readonly rules: number;
  /** a port that gets copies of all that the first one sees */
  readonly mirror?: string;
}

/** Open vSwitch with its userspace datapath in a namespace, with database, sockets and log in a directory of its own. */
export class OpenVswitch {
  readonly #namespace: string;
  readonly #directory = mkdtempSync(join(tmpdir(), 'hp-bench-ovs-'));
  readonly #children: ChildProcess[] = [];

  static async start(options: OpenVswitchOptions): Promise<OpenVswitch> {
    const it = new OpenVswitch(options.namespace);
    try {
      await it.#start(options);
      return it;
    } catch (error) {
      await it.stop();
      throw error;
    }
  }

  private constructor(namespace: string) {
    this.#namespace = namespace;
  }

  /** Whose CPU time is the switch's. */
  get pid(): number {
    return this.#children[1]!.pid!;
  }

  async stop(): Promise<void> {
    for (const child of this.#children.toReversed()) {
      const ended = once(child, 'exit');
      if (child.exitCode !== null || child.signalCode !== null || !child.kill('SIGTERM')) continue;
      const force = setTimeout(() => child.kill('SIGKILL'), graceMs);
      await ended;
      clearTimeout(force);
    }
    rmSync(this.#directory, { recursive: true, force: true });
  }

  async #start({ ports, rules, mirror }: OpenVswitchOptions): Promise<void> {
    const database = this.#at('conf.db');
    await this.#run(['ovsdb-tool', 'create', database, schema]);
    this.#spawn('ovsdb-server', [database, `--remote=punix:${this.#at('db.sock')}`]);
    await this.#appears('db.sock');
    await this.#configure(['--no-wait', 'init']);
    this.#spawn('ovs-vswitchd', [`unix:${this.#at('db.sock')}`]);
    const names = Object.keys(ports);
    await this.#configure([
      ...'add-br br0 -- set bridge br0 datapath_type=netdev fail_mode=secure'.split(' '),
      ...[...names, ...(mirror ? [mirror] : [])].flatMap((name, i) =>
        `-- add-port br0 ${name} -- set interface ${name} ofport_request=${i + 1}`.split(' '),
      ),
      ...(mirror
        ? [
            ...`-- --id=@to get port ${mirror} -- --id=@of get port ${names[0]}`.split(' '),
            ...'-- --id=@m create mirror name=m select-src-port=@of select-dst-port=@of output-port=@to'.split(
              ' ',
            ),
            ...'-- set bridge br0 mirrors=@m'.split(' '),
          ]
        : []),
    ]);
    const kbps = rate.max / 1000;
    for (const meter of [1, 2])
      await this.#openflow(
        'add-meter',
        `meter=${meter} kbps burst band=type=drop rate=${kbps} burst_size=${kbps}`,
      );
    await this.#openflow('add-flows', '-', flows(Object.values(ports), rules));
  }

  #at(file: string): string {
    return join(this.#directory, file);
  }

  #spawn(program: string, args: readonly string[]): void {
    const files = [`--unixctl=${this.#at(`${program}.ctl`)}`, `--pidfile=${this.#at(`${program}.pid`)}`];
    const line = ['taskset', '-c', String(otherCore), program, ...args, ...files];
    const [command, ...rest] = nsenter(this.#namespace, line);
    const log = openSync(this.#at(`${program}.log`), 'a');
    const child = spawn(command, rest, { stdio: ['ignore', log, log], env: this.#environment });
    closeSync(log);
    child.on('error', () => {}); // `#appears` and the tools tell of it
    this.#children.push(child);
  }

  async #appears(file: string): Promise<void> {
    const end = Date.now() + graceMs;
    while (!existsSync(this.#at(file))) {
      if (Date.now() > end)
        throw new BenchError(`Open vSwitch did not start: ${lastLine(this.#at('ovsdb-server.log'))}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  #configure(args: readonly string[]): Promise<string> {
    return this.#run(['ovs-vsctl', '--timeout=10', `--db=unix:${this.#at('db.sock')}`, ...args]);
  }

  #openflow(what: string, argument: string, input = ''): Promise<string> {
    return this.#run(
      ['ovs-ofctl', '-O', 'OpenFlow15', what, `unix:${this.#at('br0.mgmt')}`, argument],
      input,
    );
  }

  #run(line: readonly string[], input = ''): Promise<string> {
    const [command, ...args] = nsenter(this.#namespace, ['env', `OVS_RUNDIR=${this.#directory}`, ...line]);
    return run(command, args, input);
  }

  get #environment(): NodeJS.ProcessEnv {
    return {
      ...process.env,
      OVS_RUNDIR: this.#directory,
      OVS_LOGDIR: this.#directory,
      OVS_DBDIR: this.#directory,
    };
  }
}

/** Table 0: whose frame is it, and its rate; 1: the first port's access list; 2: where it goes, and that one's rate. */
function flows(ports: readonly (readonly Endpoint[])[], rules: number): string {
  const sources = ports.flatMap((vms, i) =>
    vms.map(({ mac, address: ip }) => {
      const next = i === 0 ? 1 : 2;
      return `table=0,in_port=${i + 1},ip,dl_src=${mac},nw_src=${ip},actions=meter:1,goto_table:${next}`;
    }),
  );
  const denied = Array.from({ length: rules - 1 }, (_, i) => {
    const { address, port } = deniedHost(i);
    return `table=1,priority=${60_000 - i},udp,nw_dst=${address},tp_dst=${port},actions=drop`;
  });
  const { address, length } = vmNetwork;
  const allowed = `table=1,priority=1,ip,nw_dst=${address}/${length},actions=goto_table:2`;
  const destinations = ports.flatMap((vms, out) =>
    vms.flatMap(({ mac }) =>
      ports.map((_, i) => {
        const output = i === out ? 'in_port' : `output:${out + 1}`;
        return `table=2,in_port=${i + 1},dl_dst=${mac},actions=meter:2,${output}`;
      }),
    ),
  );
  return `${[...sources, ...denied, allowed, ...destinations].join('\n')}\n`;
}

function lastLine(file: string): string {
  return existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n').at(-1)! : 'it left no log';
}
