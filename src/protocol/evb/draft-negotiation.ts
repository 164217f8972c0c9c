import type { DraftCapabilities, DraftEvbPart, DraftEvbTlv } from './draft.ts';
import type { EvbOperation, EvbParameters, VsiCount } from './parameters.ts';
import type { EvbRole } from './ratified.ts';
import { draftTiming } from './timers.ts';

const all: DraftCapabilities = { rte: true, ecp: true, vdp: true };
const none: DraftCapabilities = { rte: false, ecp: false, vdp: false };
const mostVsis = 0xffff;

/** The TLV to send in `role`; `received`: the other side's last (null: never). */
export function localDraftTlv(
  role: EvbRole,
  own: EvbParameters,
  received: DraftEvbTlv | null,
  vsis: VsiCount,
): DraftEvbTlv {
  const relayed = reflectiveRelay(role, own, received);
  const shared = received ? both(all, received.supported.capabilities) : none;
  const supported: DraftEvbPart = {
    // A station that wants reflective relay offers nothing else, as lldpad has it.
    standard: role === 'bridge' || !own.reflectiveRelay,
    reflectiveRelay: own.reflectiveRelay,
    capabilities: all,
    vsis: Math.min(vsis.most, mostVsis),
  };
  return {
    supported,
    current: {
      standard: received !== null && !relayed,
      reflectiveRelay: relayed,
      capabilities: shared,
      vsis: shared.vdp ? Math.min(vsis.held, mostVsis) : 0,
    },
    rte: own.timers.rte,
  };
}

export function draftOperation(
  role: EvbRole,
  own: EvbParameters,
  received: DraftEvbTlv | null,
): EvbOperation {
  const { ecp, vdp } = received?.[role === 'bridge' ? 'supported' : 'current'].capabilities ?? none;
  return {
    negotiated: ecp && vdp,
    dialect: 'draft',
    reflectiveRelay: reflectiveRelay(role, own, received),
    groupIds: false,
    timers: null,
    timing: draftTiming,
  };
}

/** The sender of `now` has forgotten what it knew of us when it sent `before`: it was restarted. */
export function draftForgot(before: DraftEvbTlv, now: DraftEvbTlv): boolean {
  const knew = (tlv: DraftEvbTlv) => tlv.current.capabilities.ecp || tlv.current.capabilities.vdp;
  return knew(before) && !knew(now);
}

/** The bridge decides, by what both support. */
function reflectiveRelay(role: EvbRole, own: EvbParameters, received: DraftEvbTlv | null): boolean {
  if (received === null || !own.reflectiveRelay) return false;
  return role === 'bridge' ? received.supported.reflectiveRelay : received.current.reflectiveRelay;
}

function both(a: DraftCapabilities, b: DraftCapabilities): DraftCapabilities {
  return { rte: a.rte && b.rte, ecp: a.ecp && b.ecp, vdp: a.vdp && b.vdp };
}
