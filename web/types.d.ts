/** What the modules give each other. For `tsc` alone; browsers never get it. */

export interface Reaction {
  emoji: string
  count: number
  mine: boolean
  /** those of them who are known */
  who: string[]
}

/** A message as it is now. Never changed in place: a change makes another object. */
export interface Message {
  m: number
  n: number
  rev: number
  by: string
  name: string
  at: number
  /** null if it was deleted */
  text: string | null
  edited: boolean
  deleted: boolean
  pinned: boolean
  reply: number | null
  mentions: string[]
  reactions: Reaction[]
  nonce: string | null
}

/** `seq`s without a gap, both ends included. */
export interface Range {
  low: number
  high: number
}

/** A room of the user's list, as in `welcome.rooms`. */
export interface RoomEntry {
  id: string
  name?: string
  kind: 'public' | 'private' | 'direct' | 'announcement'
  head: number
  n: number
  read: number
  readn: number
  mentions: number
  notify: 'all' | 'mentions' | 'nothing'
  role: 'member' | 'owner'
  post: 'everybody' | 'owners'
}

export type Op = 'edit' | 'delete' | 'react' | 'unreact' | 'pin' | 'unpin'

/** Something said or changed, as it is written down. */
export interface Waiting {
  room: string
  nonce: string
  send?: { text: string; reply?: number }
  change?: { m: number; op: Op; text?: string; emoji?: string }
}

/** Something said or changed that isn't known to be durable. Never changed in place. */
export interface Entry extends Waiting {
  /** handed to the socket, without an answer so far */
  inFlight: boolean
  /** durable at this place; its event is still to come */
  acked: number | null
  /** another tab sends it */
  elsewhere?: boolean
}

/** An entry that the server refused. */
export interface Failed extends Entry {
  code: string
  msg: string
}

/** A room's log as far as it is known; another object after each change. */
export interface Timeline {
  /** rising by `m` */
  messages: Message[]
  /** rising; between two of them is what isn't loaded */
  ranges: Range[]
  n: number
  head: number
  first: number
  /** up to where it is known; 0 before the first answer */
  last: number
  /** whether the server has answered the `open` of this connection */
  open: boolean
}

export interface Member {
  user: string
  name: string
  role: 'member' | 'owner'
}

export interface Detail {
  topic: string
  archived: boolean
  members: Member[]
}

export interface Limits {
  text_chars: number
  [limit: string]: number
}

/** A refusal of the HTTP API. */
export interface Problem extends Error {
  code: string
  detail: string
  retry?: number
  suggest?: string
}

/** Exactly one of them. */
export interface Anchor {
  before?: number
  after?: number
  around?: number
}

/** Who connects, and how much it asks for. */
export interface Config {
  key: string
  name?: string
  agent?: string
  lang?: string
  /** the most events to be replayed instead of a reset */
  replayMax?: number
  pageLimit?: number
  /** the most messages that an open room holds, but for some */
  keepMessages?: number
}

/** A room's last screen. */
export interface Cached {
  last: number
  n: number
  first: number
  ranges: Range[]
  messages: Message[]
}

/** What outlives a page. */
export interface Saved {
  epoch: string | null
  user: string | null
  name: string | null
  list: RoomEntry[]
  cursors: Record<string, number>
  /** `elsewhere`: perhaps another tab has it */
  outbox: (Waiting & { elsewhere?: boolean })[]
  rooms: Record<string, Cached>
}

/** What the client tells, by the names of crates/client/src/notice.rs. */
export interface Notice {
  notice: string
  [field: string]: any
}

/** What the client wants done: one of these. */
export interface Output {
  connect?: true
  disconnect?: true
  write?: string
  notice?: string
}
