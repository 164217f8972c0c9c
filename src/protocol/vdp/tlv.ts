import type { ManagerId } from '../../domain/manager-id.ts';
import type { VdpAssociation, VdpErrorCode, VdpMode } from './association.ts';

export type VdpTlv = AssociationTlv | OtherTlv;

/** What bridge and station exchange. */
export type AssociationTlv = VdpAssociation | UnusableRequest;

/** An association request that no association can come of; it can be refused all the same. */
export interface UnusableRequest {
  readonly kind: 'unusable';
  readonly mode: VdpMode;
  readonly managerId: ManagerId;
  /** the TLV's information as it came, long enough for all fields of fixed length */
  readonly info: Uint8Array;
  /** null: asked; else refused with it */
  readonly refusal: VdpErrorCode | null;
  readonly problem: { readonly code: VdpErrorCode; readonly message: string };
}

/** Organizationally defined (type 127), unknown, or an association that cannot be read so far; carried as it is. */
export interface OtherTlv {
  readonly kind: 'other';
  readonly type: number;
  readonly info: Uint8Array;
  /** what is wrong with it: one line */
  readonly problem?: string;
}

export function managerIdOf(tlv: AssociationTlv): ManagerId {
  return tlv.kind === 'unusable' ? tlv.managerId : tlv.profile.managerId;
}
