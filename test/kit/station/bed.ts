import type { MigrationReport } from '../../../src/domain/migration.ts';
import type { MacAddress } from '../../../src/domain/mac-address.ts';
import type { HypervisorEvent, HypervisorEventKind } from '../../../src/hypervisors/event.ts';
import type { BridgePort, BridgePortOptions, BridgePortOutput } from '../../../src/protocol/bridge-port.ts';
import { Driver } from '../../../src/protocol/driver.ts';
import type { Clock } from '../../../src/base/clock.ts';
import type { Verdict } from '../../../src/protocol/vdp/bridge.ts';
import { StationAgent } from '../../../src/station/agent.ts';
import type { StationVsi, Taps } from '../../../src/station/parts.ts';
import type { Outcome } from '../../../src/station/asking.ts';
import { bridgePort, evb, profile, stationMac, vmMac, vsiId } from '../protocol/fixtures.ts';
import { see } from '../protocol/peer.ts';
import { VirtualClock } from '../../../src/base/virtual-clock.ts';

/** A station agent at a bridge that grants what `verdict` lets it, on a virtual clock. */
export class Bed {
  readonly time = new VirtualClock();
  /** what the bridge was asked, as "associate 1 S"; the number is the VSI's */
  readonly asked: string[] = [];
  readonly reports: string[] = [];
  readonly logged: string[] = [];
  readonly agent: StationAgent;
  readonly bridge: Driver<BridgePort, BridgePortOutput>;
  verdict: (vsi: string) => Verdict = () => ({ kind: 'accept' });
  /** by address: a VSI for each that ends in its number */
  known: (macs: readonly MacAddress[]) => readonly StationVsi[] = (macs) =>
    macs.map((mac) => {
      const number = Number.parseInt(mac.slice(-2), 16);
      return { vsiId: vsiId(number), macs: [mac], profile };
    });

  constructor(options: { readonly bridge?: Partial<BridgePortOptions>; readonly taps?: Taps } = {}) {
    const clock: Clock = {
      now: () => this.time.now(),
      at: (time, action) => {
        let cancelled = false;
        this.time.at(time, () => cancelled || action());
        return () => void (cancelled = true);
      },
    };
    this.bridge = new Driver(bridgePort(options.bridge), clock, (output) => this.#atBridge(output));
    this.agent = new StationAgent({
      name: 'host1',
      evb,
      firstSequence: 1,
      uplink: {
        name: 'eth0',
        mac: stationMac,
        send: (frame) => {
          this.#note(frame);
          this.time.at(this.time.now() + 0.05, () => this.bridge.receive(frame));
        },
      },
      clock,
      timestamp: () => Math.round(this.time.now() * 1000),
      vsisOf: (macs) => this.known(macs),
      report: ({ moment, reason }: MigrationReport) =>
        void this.reports.push(reason === undefined ? moment : `${moment}: ${reason}`),
      remember: () => {},
      log: (_, message) => void this.logged.push(message),
      ...(options.taps && { taps: options.taps }),
    });
    this.bridge.do((machine, now) => machine.linkUp(now));
    this.agent.linkChanged(true);
    this.pass(3000);
  }

  pass(ms: number): void {
    this.time.pass(ms);
  }

  event(
    kind: HypervisorEventKind,
    { vms = [1], process }: { readonly vms?: readonly number[]; readonly process?: string } = {},
  ): HypervisorEvent {
    return { kind, vm: 'web1', macs: vms.map(vmMac), at: 7, ...(process !== undefined && { process }) };
  }

  /** Tells of an event, and lets the answer come. */
  async happens(...of: Parameters<Bed['event']>): Promise<Outcome> {
    const outcome = this.agent.happened(this.event(...of));
    for (let turn = 0; turn < 10; turn++) {
      await Promise.resolve();
      this.pass(1);
    }
    return outcome;
  }

  /** What was asked since this was called last. */
  news(): string[] {
    return this.asked.splice(0);
  }

  /** What the station holds, as "1 associated". */
  held(): string[] {
    return this.agent.state().vsis.map(({ vsiId, association }) => `${number(vsiId)} ${association}`);
  }

  #atBridge(output: BridgePortOutput): void {
    if (output.kind === 'send') this.time.at(this.time.now() + 0.05, () => this.agent.receive(output.frame));
    else if (output.kind === 'request')
      this.bridge.do((machine, now) => machine.answer(output.token, this.verdict(number(output.vsiId)), now));
  }

  #note(frame: Uint8Array): void {
    const seen = see(frame);
    for (const tlv of 'tlvs' in seen ? seen.tlvs : [])
      if (tlv.kind === 'request') {
        const { migrating, suspended } = tlv.hints;
        this.asked.push(`${tlv.mode} ${number(tlv.vsiId)}${migrating ? ' M' : ''}${suspended ? ' S' : ''}`);
      }
  }
}

function number(vsiId: string): string {
  return `${Number.parseInt(vsiId.slice(-12), 16)}`;
}
