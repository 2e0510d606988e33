import { changed, cover, find, paged, place, said } from './timeline.js'

/**
 * @typedef {import('../types').Message} Message
 * @typedef {import('../types').Anchor} Anchor
 * @typedef {{anchor: Anchor, limit: number, id: number | null, last: number}} Wanted
 *   a page; `id` of the request on its way; `last` was the cursor then, up to which the server will have looked
 */

const TYPING = 6_000 // ms for which somebody who typed counts as typing

/** A room that is open, or will be when the connection allows. */
export class Room {
  /**
   * @param {string} id
   * @param {Partial<import('../types').Cached>} [cached]
   */
  constructor(id, cached) {
    this.id = id
    /** @type {number | null} the cursor: every event up to this `seq` was applied, once; null before the first answer */
    this.last = cached?.last ?? null
    this.head = this.last ?? 0
    this.n = cached?.n ?? 0
    this.first = cached?.first ?? 0
    this.ranges = cached?.ranges ?? []
    /** Rising. Changed in place: views take `view`. */
    this.messages = [...(cached?.messages ?? [])]
    /** @type {Map<string, number>} until when somebody counts as typing */
    this.typing = new Map()
    this.typedAt = -Infinity
    /** @type {'wanted' | 'opening' | 'open'} what the server knows of our wish to follow the room */
    this.subscription = 'wanted'
    /** @type {Wanted[]} */
    this.pages = []
    /** @type {any[]} changes since the oldest page on its way was asked for, which may be older than they are */
    this.crossing = []
    /** Pages from before this `seq` come too late: the changes between were never told. */
    this.resetAt = 0
    /** @type {import('../types').Timeline | null} */
    this.shown = null
  }

  get open() {
    return this.subscription === 'open'
  }

  /** What is known: another object after each change, and the same one until then. */
  get view() {
    const { ranges, n, head, first, last, open } = this
    return (this.shown ??= { messages: this.messages.slice(), ranges, n, head, first, last: last ?? 0, open })
  }

  /** @param {number} m */
  message(m) {
    return find(this.messages, m)
  }

  /** @param {Room['subscription']} subscription */
  subscribe(subscription) {
    this.subscription = subscription
    this.shown = null
  }

  /**
   * @param {string} user
   * @param {number} now
   */
  typed(user, now) {
    this.typing.set(user, now + TYPING)
  }

  /** Who typed long ago doesn't any more. @param {number} now */
  hush(now) {
    for (const [user, until] of this.typing) if (until <= now) this.typing.delete(user)
  }

  /** The event `seq` is being applied. @param {number} seq */
  advance(seq) {
    this.last = seq
    this.head = Math.max(this.head, seq)
    this.cover(seq, seq)
  }

  /**
   * @param {any} event
   * @param {number} keep
   */
  said(event, keep) {
    this.n = Math.max(this.n, event.n)
    this.typing.delete(event.by)
    if (!this.message(event.seq)) this.put(said(event))
    // A sixteenth more is held, so that not every message moves them all.
    const { length } = this.messages
    if (length > keep + (keep >> 4)) this.forgetBelow(this.messages[length - keep - 1].m + 1)
  }

  /**
   * @param {any} change
   * @param {string | null} me
   */
  changed(change, me) {
    this.apply(change, me)
    if (this.isAsking()) this.crossing.push(change)
  }

  /** `open` was accepted. @param {any} reply */
  opened({ first, n, head, mode, messages = [] }) {
    this.subscribe('open')
    this.first = first ?? this.first
    this.n = n ?? this.n
    this.head = head ?? this.head
    if (mode === 'replay' && this.last !== null) {
      this.head = Math.max(this.head, this.last)
      this.forgetBelow(this.first)
      return 'replay'
    }
    this.messages = messages.map(paged)
    this.crossing = []
    this.resetAt = this.last = this.head
    // A newest page without a message: there is none.
    this.ranges = cover([], messages[0]?.m ?? this.first, this.head)
    return 'reset'
  }

  /**
   * A page arrived. Whether it is of use; if not, it is asked for once more.
   * @param {Wanted} wanted
   * @param {any} reply
   * @param {string | null} me
   */
  page(wanted, { asof, first, more = true, messages = [] }, me) {
    if (asof < this.resetAt) {
      wanted.id = null
      return false
    }
    this.pages = this.pages.filter((page) => page !== wanted)
    this.first = first ?? this.first
    for (const message of messages) {
      const held = this.message(message.m)
      if (!held || message.rev > held.rev) this.put(paged(message))
    }
    // Pages and events may cross: what the page was read too early for is applied again.
    for (const change of this.crossing) this.apply(change, me)
    if (!this.isAsking()) this.crossing = []
    const lowest = messages[0]?.m
    const highest = messages.at(-1)?.m
    const { before, after } = wanted.anchor
    if (before !== undefined) {
      this.cover((more ? lowest : this.first) ?? before, before - 1)
    } else if (after !== undefined) {
      // What was said since it was asked for comes as events, and may have been forgotten already.
      const high = more ? highest : Math.max(wanted.last, highest ?? 0)
      this.cover(Math.max(after + 1, this.first), high ?? after)
    } else if (messages.length) {
      this.cover(lowest, highest)
    }
    return true
  }

  /** The connection is gone. */
  disconnected() {
    this.subscribe('wanted')
    this.crossing = []
    this.typing.clear()
    for (const page of this.pages) page.id = null
  }

  /** The store is another one: nothing that is held means anything any more. */
  forget() {
    Object.assign(this, new Room(this.id))
  }

  /**
   * What to write down: the newest messages of the last range.
   * @param {number} keep
   * @returns {import('../types').Cached | null}
   */
  cached(keep) {
    const range = this.ranges.at(-1)
    if (this.last === null || !range) return null
    const from = place(this.messages, range.low)
    const messages = this.messages.slice(Math.max(from, this.messages.length - keep))
    const low = this.messages.length - from > keep ? messages[0].m : range.low
    return { last: this.last, n: this.n, first: this.first, ranges: [{ low, high: range.high }], messages }
  }

  // Private

  isAsking() {
    return this.pages.some((page) => page.id !== null)
  }

  /** @param {Message} message */
  put(message) {
    const at = place(this.messages, message.m)
    this.messages.splice(at, this.messages[at]?.m === message.m ? 1 : 0, message)
    this.shown = null
  }

  /**
   * @param {any} change
   * @param {string | null} me
   */
  apply(change, me) {
    const held = this.message(change.m)
    if (held && change.seq > held.rev) this.put(changed(held, change, me))
  }

  /**
   * @param {number} low
   * @param {number} high
   */
  cover(low, high) {
    this.ranges = cover(this.ranges, low, high)
    this.shown = null
  }

  /** @param {number} first */
  forgetBelow(first) {
    if (!(this.ranges[0]?.low < first)) return
    this.messages = this.messages.slice(place(this.messages, first))
    this.ranges = this.ranges.filter(({ high }) => high >= first).map(({ low, high }) => ({ low: Math.max(low, first), high }))
    this.shown = null
  }
}
