import { backoff } from '../lib/backoff.js'
import { acked, receive } from './hear.js'
import { entry, keep } from './outbox.js'
import { greet, pump, write } from './pump.js'
import { Room } from './room.js'
import { place } from './timeline.js'

/**
 * @typedef {import('../types').Config} Config
 * @typedef {import('../types').Saved} Saved
 * @typedef {import('../types').RoomEntry} RoomEntry
 * @typedef {'down' | 'connecting' | 'greeting' | 'name_taken' | 'ready' | 'leaving' | 'stopped'} Link
 * @typedef {{kind: string, room?: any, nonce?: any, seq?: any}} Flight a command whose answer is awaited
 */

const TYPING_EVERY = 3_000 // ms
const WELCOME = 15_000 // ms that `welcome` may take
const SILENT = 10_000 // ms that a server has on top of two pings
const OUTBOX_MAX = 1_000
const SIGN_IN = 4001
const BANNED = 4003

/** What counts until a server says more. */
export const LIMITS = { frame_bytes: 65_536, text_chars: 8_000, open_rooms: 50, commands_in_flight: 16 }

/**
 * damso.v1's client rules (PROTOCOL section 4), without a socket, a clock or a random source; the same machine as
 * crates/client. After every input and command: drain `poll`, then look at `deadline`. `now` is in ms from any
 * beginning, and doesn't go back. The fields are for reading.
 */
export class Client {
  /**
   * @param {Config} config
   * @param {Partial<Saved>} [saved]
   * @param {() => number} [random] numbers from 0 to below 1, which spread reconnections
   */
  constructor(config, saved = {}, random = () => 0.5) {
    this.config = { keepMessages: 10_000, ...config }
    this.random = random
    /** @type {Link} */
    this.link = 'down'
    /** @type {'sign_in_again' | 'banned' | 'asked' | null} */
    this.stopped = null
    /** @type {import('../types').Output[]} */
    this.outputs = []

    // The connection.
    this.connectAt = 0
    this.attempts = 0
    /** The least time until the next attempt that the server asked for. */
    this.returnAfter = 0
    this.heard = 0
    this.ping = 0
    this.lastId = 0
    /** @type {Map<number, Flight>} */
    this.flights = new Map()

    // What is known.
    this.epoch = saved.epoch ?? null
    this.user = saved.user ?? null
    this.name = saved.name ?? null
    /** @type {import('../types').Limits} */
    this.limits = LIMITS
    /** @type {Map<string, RoomEntry>} */
    this.list = new Map((saved.list ?? []).map((held) => [held.id, held]))
    /** @type {Map<string, Room>} in the order in which they were opened */
    this.rooms = new Map()
    /** @type {Map<string, Partial<import('../types').Cached>>} of rooms that weren't opened since the start */
    this.restored = new Map(Object.entries(saved.cursors ?? {}).map(([room, last]) => [room, { last }]))
    for (const [room, cached] of Object.entries(saved.rooms ?? {})) this.restored.set(room, cached)
    /** @type {Set<string>} who of the watched users is online */
    this.online = new Set()

    // What is to be said.
    /** @type {import('../types').Entry[]} another list after each change */
    this.outbox = (saved.outbox ?? []).map((held) => ({ ...held, inFlight: false, acked: null }))
    /** @type {Map<string, number>} */
    this.reads = new Map()
    /** @type {string[] | null} */
    this.watched = null
    this.isWatchDue = false
    /** @type {string[]} rooms that the server may still think are open */
    this.closing = []
    this.pausedUntil = 0
    /** @type {Map<string, number>} */
    this.roomPausedUntil = new Map()
  }

  // Input

  /** The connection that was asked for stands. @param {number} now */
  connected(now) {
    if (this.link !== 'connecting') return
    this.heard = now
    this.lastId = 0
    greet(this)
  }

  /**
   * The server sent a text message. What can't be read is passed over.
   * @param {string} text
   * @param {number} now
   */
  receive(text, now) {
    if (!['greeting', 'name_taken', 'ready'].includes(this.link)) return
    this.heard = now
    receive(this, text, now)
    pump(this, now)
  }

  /**
   * The connection is gone, or couldn't be made.
   * @param {number | null} code the number in the server's Close frame
   * @param {number} now
   */
  disconnected(code, now) {
    if (this.link === 'down' || this.link === 'stopped') return
    this.lost()
    this.notice('disconnected', { code })
    if (code === SIGN_IN || code === BANNED) {
      this.link = 'stopped'
      this.stopped = code === BANNED ? 'banned' : 'sign_in_again'
      this.notice('stopped', { reason: this.stopped })
      return
    }
    this.link = 'down'
    const wait = Math.floor(backoff(this.attempts++, this.random()))
    this.connectAt = now + Math.max(wait, this.returnAfter)
    this.returnAfter = 0
  }

  /** To be called when `deadline` has passed; early and late calls do no harm. @param {number} now */
  timeout(now) {
    for (const room of this.rooms.values()) room.hush(now)
    if (this.link === 'down' && now >= this.connectAt) {
      this.link = 'connecting'
      this.outputs.push({ connect: true })
    } else if (now >= this.silentAt()) {
      this.link = 'leaving'
      this.outputs.push({ disconnect: true })
    } else {
      pump(this, now)
    }
  }

  /** The network is there again, or somebody looks: connect now rather than later. @param {number} now */
  wake(now) {
    if (this.link !== 'down') return
    this.connectAt = now
    this.timeout(now)
  }

  // Commands

  /**
   * Follows a room from now on, over all reconnections.
   * @param {string} room
   * @param {number} now
   */
  open(room, now) {
    if (this.rooms.has(room)) return
    this.rooms.set(room, new Room(room, this.restored.get(room)))
    this.restored.delete(room)
    pump(this, now)
  }

  /**
   * Doesn't follow a room any more, and forgets what is held of it.
   * @param {string} room
   * @param {number} now
   */
  close(room, now) {
    const gone = this.forget(room)
    if (!gone) return
    if (this.link === 'ready' && gone.subscription !== 'wanted') {
      this.closing.push(room)
      // It ends what comes of that too.
      for (const [id, flight] of this.flights) if (flight.kind === 'abandoned' && flight.room === room) this.flights.delete(id)
    }
    pump(this, now)
  }

  /**
   * Says something; the room needn't be open. False: the outbox is full or has that nonce.
   * @param {{room: string, nonce: string, text: string, reply?: number | null}} what
   * @param {number} now
   */
  send({ room, nonce, text, reply }, now) {
    return this.put({ room, nonce, send: { text, reply: reply ?? undefined } }, now)
  }

  /**
   * Changes a message: `text` for an edit, `emoji` for a reaction. Returns what `send` does.
   * @param {{room: string, nonce: string, m: number, op: import('../types').Op, text?: string, emoji?: string}} what
   * @param {number} now
   */
  change({ room, nonce, m, op, text, emoji }, now) {
    return this.put({ room, nonce, change: { m, op, text, emoji } }, now)
  }

  /**
   * Takes back what isn't sent on this connection. It may be durable nevertheless, if it was sent on one before.
   * @param {string} nonce
   */
  withdraw(nonce) {
    const held = entry(this, nonce)
    if (!held || held.inFlight || held.elsewhere || held.acked !== null) return null
    keep(this, (other) => other !== held)
    return held
  }

  /** Another tab of the user's sends this; here it is shown. @param {import('../types').Waiting} waiting */
  shadow(waiting) {
    if (!entry(this, waiting.nonce)) this.outbox = [...this.outbox, { ...waiting, inFlight: false, acked: null, elsewhere: true }]
  }

  /**
   * No other tab sends these any more: we do.
   * @param {(nonce: string) => boolean} isOurs
   * @param {number} now
   */
  adopt(isOurs, now) {
    const isOrphan = (/** @type {import('../types').Entry} */ held) => held.elsewhere && isOurs(held.nonce)
    if (this.outbox.some(isOrphan)) this.outbox = this.outbox.map((held) => (isOrphan(held) ? { ...held, elsewhere: false } : held))
    pump(this, now)
  }

  /**
   * Another tab is done with an entry.
   * @param {string} nonce
   * @param {number | null} [seq] its place, null if it has none; absent if it was refused or taken back
   */
  gone(nonce, seq) {
    if (seq !== undefined) acked(this, nonce, seq ?? undefined)
    else keep(this, (held) => held.nonce !== nonce || !held.elsewhere)
  }

  /**
   * The user has read a room of its list up to `seq`.
   * @param {string} room
   * @param {number} seq
   * @param {number} now
   */
  read(room, seq, now) {
    if (!this.seen(room, seq)) return
    this.reads.set(room, seq)
    pump(this, now)
  }

  /**
   * Asks for a page of an open room. A notice `page` or `page_refused` will follow.
   * @param {string} room
   * @param {import('../types').Anchor} anchor
   * @param {number} limit
   * @param {number} now
   */
  history(room, { before, after, around }, limit, now) {
    const held = this.rooms.get(room)
    if (!held) return
    const isAsked = held.pages.some(
      ({ anchor }) => anchor.before === before && anchor.after === after && anchor.around === around,
    )
    if (!isAsked) held.pages.push({ anchor: { before, after, around }, limit, id: null, last: 0 })
    pump(this, now)
  }

  /**
   * Asks who of these users is online, from now on and over all reconnections.
   * @param {string[]} users
   * @param {number} now
   */
  watch(users, now) {
    this.watched = users
    this.isWatchDue = true
    pump(this, now)
  }

  /**
   * The user is writing. At most one in 3 s is told.
   * @param {string} room
   * @param {number} now
   */
  typing(room, now) {
    const held = this.rooms.get(room)
    if (!held?.open || this.link !== 'ready' || now < this.pausedUntil || now - held.typedAt < TYPING_EVERY) return
    held.typedAt = now
    write(this, { t: 'typing', room })
  }

  /**
   * Asks for another name, after `name_taken` or for the next time.
   * @param {string} name
   * @param {number} now
   */
  rename(name, now) {
    this.config.name = name
    if (this.link !== 'name_taken') return
    this.heard = now
    greet(this)
  }

  /** Ends the connection for good. */
  stop() {
    if (this.link !== 'down' && this.link !== 'stopped') this.outputs.push({ disconnect: true })
    this.link = 'stopped'
    this.stopped = 'asked'
    this.lost()
  }

  // Output

  /** The next thing to be done; none: everything is said. */
  poll() {
    return this.outputs.shift()
  }

  /** When to call `timeout`. Changes with every input and command. */
  get deadline() {
    if (this.link === 'down') return this.connectAt
    // No room goes on before all do.
    const resume = this.pausedUntil ? [this.pausedUntil] : this.roomPausedUntil.values()
    const typing = [...this.rooms.values()].flatMap((room) => [...room.typing.values()])
    return Math.min(this.silentAt(), ...typing, ...(this.link === 'ready' ? resume : []))
  }

  /**
   * What to write down so that a restart loses nothing, and shows the last screens at once.
   * @param {number} messages the most of each room
   * @returns {Saved}
   */
  saved(messages) {
    const { epoch, user, name } = this
    /** @type {Saved} */
    const saved = { epoch, user, name, list: [...this.list.values()], cursors: {}, outbox: [], rooms: {} }
    for (const [room, { last }] of [...this.restored, ...this.rooms]) if (last != null) saved.cursors[room] = last
    for (const [room, held] of this.rooms) {
      const cached = held.cached(messages)
      if (cached) saved.rooms[room] = cached
    }
    for (const { inFlight, acked, ...waiting } of this.outbox) if (acked === null) saved.outbox.push(waiting)
    return saved
  }

  // For the modules of this folder

  /**
   * @param {string} notice
   * @param {object} [more]
   */
  notice(notice, more) {
    this.outputs.push(/** @type {import('../types').Output} */ ({ ...more, notice }))
  }

  /**
   * Changes a room of the list.
   * @param {string} room
   * @param {(held: RoomEntry) => Partial<RoomEntry>} change
   */
  amend(room, change) {
    const held = this.list.get(room)
    if (held) this.list.set(room, { ...held, ...change(held) })
  }

  /**
   * Moves a read position, which only grows. Whether it did.
   * @param {string} room
   * @param {number} seq
   * @param {number} [readn]
   */
  seen(room, seq, readn) {
    const held = this.list.get(room)
    if (!held || seq <= held.read) return false
    const messages = this.rooms.get(room)?.messages ?? []
    readn ??= seq >= held.head ? held.n : (messages[place(messages, seq + 1) - 1]?.n ?? held.readn)
    readn = Math.max(held.readn, Math.min(readn, held.n))
    this.list.set(room, { ...held, read: seq, readn, mentions: readn === held.n ? 0 : held.mentions })
    return true
  }

  /** Forgets a room, and what is shown of it here. @param {string} room */
  forget(room) {
    const gone = this.rooms.get(room)
    if (!gone) return null
    this.rooms.delete(room)
    keep(this, (held) => held.room !== room || held.acked === null)
    for (const [id, flight] of this.flights) {
      if (flight.room !== room) continue
      if (flight.kind === 'page') this.flights.delete(id)
      if (flight.kind === 'open') flight.kind = 'abandoned'
    }
    return gone
  }

  /**
   * A position that must be told again.
   * @param {string} room
   * @param {number} seq
   */
  readAgain(room, seq) {
    this.reads.set(room, Math.max(seq, this.reads.get(room) ?? 0))
  }

  // Private

  /** When a server that says nothing counts as gone: it asks after `ping`, and what it says needs time. */
  silentAt() {
    if (this.link === 'greeting') return this.heard + WELCOME
    return this.link === 'ready' ? this.heard + 2 * this.ping + SILENT : Infinity
  }

  /** Nothing that was on its way will be answered. */
  lost() {
    for (const { kind, room, seq } of this.flights.values()) if (kind === 'read') this.readAgain(room, seq)
    this.flights.clear()
    this.outbox = this.outbox.map((held) => ({ ...held, inFlight: false }))
    for (const room of this.rooms.values()) room.disconnected()
    this.closing = []
    this.online = new Set()
  }

  /**
   * @param {import('../types').Waiting} waiting
   * @param {number} now
   */
  put(waiting, now) {
    if (this.outbox.length >= OUTBOX_MAX || entry(this, waiting.nonce)) return false
    this.outbox = [...this.outbox, { ...waiting, inFlight: false, acked: null }]
    pump(this, now)
    return true
  }
}
