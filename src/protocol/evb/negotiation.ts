import type { EvbOperation, EvbParameters } from './parameters.ts';
import type { EvbRole, EvbTlv } from './ratified.ts';
import { timingOf, type EvbTimers } from './timers.ts';

/** nothing was heard of the bridge */
const rrstatUnknown = 3;

/** The TLV to send in `role`: own part from the parameters, the other's part as it was last received (null: never). */
export function localTlv(role: EvbRole, own: EvbParameters, received: EvbTlv | null): EvbTlv {
  const common = {
    mode: role,
    ...larger(own.timers, received),
    // Equal counts as remote, as lldpad has it.
    rwdRemote: received !== null && received.rwd >= own.timers.rwd,
    rkaRemote: received !== null && received.rka >= own.timers.rka,
  };
  if (role === 'bridge')
    return {
      ...common,
      bridge: {
        bgid: own.groupIds,
        rrcap: own.reflectiveRelay,
        rrctr: reflectiveRelay('bridge', own, received),
      },
      station: received?.station ?? { sgid: false, rrreq: false, rrstat: 0 },
    };
  return {
    ...common,
    bridge: received?.bridge ?? { bgid: false, rrcap: false, rrctr: false },
    station: {
      sgid: own.groupIds,
      rrreq: own.reflectiveRelay,
      rrstat: received === null ? rrstatUnknown : Number(received.bridge.rrctr),
    },
  };
}

export function operation(role: EvbRole, own: EvbParameters, received: EvbTlv | null): EvbOperation {
  const timers = larger(own.timers, received);
  return {
    negotiated: received !== null && (role === 'bridge' || wasHeard(own, received)),
    dialect: 'ratified',
    reflectiveRelay: reflectiveRelay(role, own, received),
    groupIds:
      own.groupIds && received !== null && (role === 'bridge' ? received.station.sgid : received.bridge.bgid),
    timers,
    timing: timingOf(timers),
  };
}

/** The sender of `now` has forgotten what it knew of us when it sent `before`: it was restarted. */
export function forgot(role: EvbRole, before: EvbTlv, now: EvbTlv): boolean {
  return (echoes(role, before) && !echoes(role, now)) || (hasHeard(before) && !hasHeard(now));
}

/** A station says so in any case; the echo of a bridge without reflective relay and GroupIDs is always the same. */
function hasHeard({ mode, station }: EvbTlv): boolean {
  return mode === 'station' && station.rrstat !== rrstatUnknown;
}

function echoes(role: EvbRole, { bridge, station }: EvbTlv): boolean {
  return role === 'bridge'
    ? bridge.bgid || bridge.rrcap || bridge.rrctr
    : station.sgid || station.rrreq || station.rrstat !== 0;
}

/** A bridge takes VDP only from a station it knows; its echo of our request says that it knows us. */
function wasHeard(own: EvbParameters, { station }: EvbTlv): boolean {
  return station.rrreq === own.reflectiveRelay && station.sgid === own.groupIds;
}

/** The bridge decides; a station that did not ask has none. */
function reflectiveRelay(role: EvbRole, own: EvbParameters, received: EvbTlv | null): boolean {
  if (received === null || !own.reflectiveRelay) return false;
  return role === 'bridge' ? received.station.rrreq : received.bridge.rrctr;
}

function larger(own: EvbTimers, received: EvbTimers | null): EvbTimers {
  return {
    retries: Math.max(own.retries, received?.retries ?? 0),
    rte: Math.max(own.rte, received?.rte ?? 0),
    rwd: Math.max(own.rwd, received?.rwd ?? 0),
    rka: Math.max(own.rka, received?.rka ?? 0),
  };
}
