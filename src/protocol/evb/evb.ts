import { dialectNames, type DialectName } from '../../domain/dialect.ts';
import {
  decodeDraftEvbTlv,
  draftEvbSubtype,
  draftOui,
  encodeDraftEvbTlv,
  type DraftEvbTlv,
} from './draft.ts';
import { draftForgot, draftOperation, localDraftTlv } from './draft-negotiation.ts';
import { forgot, localTlv, operation } from './negotiation.ts';
import type { EvbOperation, EvbParameters, VsiCount } from './parameters.ts';
import { decodeEvbTlv, encodeEvbTlv, evbOui, evbSubtype, type EvbRole, type EvbTlv } from './ratified.ts';
import { findOrganizational as find, organizational } from '../lldp/organizational.ts';
import type { Lldpdu, LldpTlv } from '../lldp/packet.ts';

/** The other side's EVB TLVs of its last LLDPDU, by version; null where it sent none that is right. */
export interface HeardEvb {
  readonly ratified: EvbTlv | null;
  readonly draft: DraftEvbTlv | null;
}

export const nothingHeard: HeardEvb = { ratified: null, draft: null };

/** What the LLDPDU says in the versions that we speak. Null: its sender is no counterpart of ours. */
export function hearEvb(role: EvbRole, own: EvbParameters, lldpdu: Lldpdu): HeardEvb | null {
  const speaks = (dialect: DialectName) => offered(own).includes(dialect);
  const ratified = speaks('ratified') ? find(lldpdu, evbOui, evbSubtype, decodeEvbTlv) : null;
  const draft = speaks('draft') ? find(lldpdu, draftOui, draftEvbSubtype, decodeDraftEvbTlv) : null;
  if (ratified === null && draft === null) return null;
  return ratified?.mode === role ? null : { ratified, draft };
}

/** The TLVs to send in `role`. */
export function localEvb(role: EvbRole, own: EvbParameters, heard: HeardEvb, vsis: VsiCount): LldpTlv[] {
  return offered(own).map((dialect) =>
    dialect === 'ratified'
      ? organizational(evbOui, evbSubtype, encodeEvbTlv(localTlv(role, own, heard.ratified)))
      : organizational(
          draftOui,
          draftEvbSubtype,
          encodeDraftEvbTlv(localDraftTlv(role, own, heard.draft, vsis)),
        ),
  );
}

/** What follows of both sides' TLVs: in the ratified version where both speak it, else in the draft's. */
export function evbOperation(role: EvbRole, own: EvbParameters, heard: HeardEvb): EvbOperation {
  if (heard.ratified === null && (heard.draft !== null || !offered(own).includes('ratified')))
    return draftOperation(role, own, heard.draft);
  return operation(role, own, heard.ratified);
}

/** The sender of `now` has forgotten what it knew of us before. */
export function hasForgotten(role: EvbRole, before: HeardEvb, now: HeardEvb): boolean {
  return (
    (before.ratified !== null && now.ratified !== null && forgot(role, before.ratified, now.ratified)) ||
    (before.draft !== null && now.draft !== null && draftForgot(before.draft, now.draft))
  );
}

function offered({ dialects }: EvbParameters): readonly DialectName[] {
  return dialects ?? dialectNames;
}
