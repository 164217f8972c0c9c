/** What rtnetlink(7) says of one link. */
export interface LinkChange {
  readonly index: number;
  readonly name: string;
  /** false: it was deleted, or moved to another namespace */
  readonly exists: boolean;
  /** administratively up and with a carrier */
  readonly runs: boolean;
}

const newLink = 16; // RTM_NEWLINK
const deleteLink = 17; // RTM_DELLINK
const done = 3; // NLMSG_DONE
const failed = 2; // NLMSG_ERROR
const multipart = 0x2; // NLM_F_MULTI: part of a list, which no event is
const interrupted = 0x10; // NLM_F_DUMP_INTR
const nameAttribute = 3; // IFLA_IFNAME
const upAndRunning = 0x41; // IFF_UP | IFF_RUNNING

/** The request for a list of all links: nlmsghdr and ifinfomsg. */
export function listRequest(): Uint8Array {
  const request = new Uint8Array(32);
  const view = new DataView(request.buffer);
  const [getLink, requestDump] = [18, 0x301]; // RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP
  view.setUint32(0, request.length, true);
  view.setUint16(4, getLink, true);
  view.setUint16(6, requestDump, true);
  return request;
}

/**
 * The links of a namespace, by the kernel's events and lists of them. The first list only says what is there. Where
 * events were lost, the next list stands in for them: those that are gone are told, then each link as it is now.
 * It does no I/O: `wantsList` says when to ask the kernel for a list, and `listAsked` that it was asked.
 */
export class LinkTable {
  readonly #names = new Map<number, string>();
  /** the links that the list has, and that came up while it is read; null: none is being read */
  #listed: Map<number, LinkChange> | null = null;
  /** the list being read stands for lost events */
  #replaces = false;
  #wantsList = true;
  #lost = false;

  get wantsList(): boolean {
    return this.#wantsList && this.#listed === null;
  }

  listAsked(): void {
    this.#listed = new Map();
    this.#replaces = this.#lost;
    this.#wantsList = this.#lost = false;
  }

  /** The kernel had more to tell than the socket holds. */
  overflowed(): void {
    this.#wantsList = this.#lost = true;
  }

  /** What changed by one datagram: nlmsghdr (16 octets), and of a link ifinfomsg (16 octets) and attributes. */
  *read(datagram: Uint8Array): Generator<LinkChange> {
    const view = new DataView(datagram.buffer, datagram.byteOffset, datagram.byteLength);
    for (let at = 0; at + 16 <= datagram.length;) {
      const length = view.getUint32(at, true);
      const type = view.getUint16(at + 4, true);
      const flags = view.getUint16(at + 6, true);
      if (length < 16 || at + length > datagram.length) return;
      if (flags & interrupted) this.#again();
      if (type === done || type === failed) yield* this.#ended(type === failed);
      else if (length >= 32 && (type === newLink || type === deleteLink)) {
        const isRunning = (view.getUint32(at + 24, true) & upAndRunning) === upAndRunning;
        const change = {
          index: view.getInt32(at + 20, true),
          name: nameIn(datagram.subarray(at + 32, at + length)),
          exists: type === newLink,
          runs: type === newLink && isRunning,
        };
        this.#note(change);
        if (!(flags & multipart)) yield change;
      }
      at += (length + 3) & ~3;
    }
  }

  #note(change: LinkChange): void {
    const { index, name, exists } = change;
    if (exists) {
      this.#names.set(index, name);
      this.#listed?.set(index, change);
    } else {
      this.#names.delete(index);
      this.#listed?.delete(index);
    }
  }

  /** The list changed while the kernel wrote it. */
  #again(): void {
    this.#wantsList = true;
    this.#lost ||= this.#replaces;
  }

  *#ended(hasFailed: boolean): Generator<LinkChange> {
    const listed = this.#listed;
    this.#listed = null;
    if (hasFailed) this.#again();
    // an incomplete list tells of none that it is gone
    if (!listed || !this.#replaces || this.#wantsList) return;
    for (const [index, name] of this.#names)
      if (!listed.has(index)) {
        this.#names.delete(index);
        yield { index, name, exists: false, runs: false };
      }
    yield* listed.values();
  }
}

function nameIn(attributes: Uint8Array): string {
  const view = new DataView(attributes.buffer, attributes.byteOffset, attributes.byteLength);
  for (let at = 0; at + 4 <= attributes.length;) {
    const length = view.getUint16(at, true);
    if (length < 4) break;
    if (view.getUint16(at + 2, true) === nameAttribute)
      return Buffer.from(attributes.subarray(at + 4, at + length - 1)).toString();
    at += (length + 3) & ~3;
  }
  return '';
}
