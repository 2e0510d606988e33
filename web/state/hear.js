/** What comes in: what the server says. */
import { amend, entry, keep, shown } from './outbox.js'
import { pause, WAIT_MAX, write } from './pump.js'
import { isChange } from './timeline.js'

/**
 * @typedef {import('./client.js').Client} Client
 * @typedef {import('./client.js').Flight} Flight
 * @typedef {import('./room.js').Room} Room
 */

/**
 * By kind. False: it isn't known here what this is.
 * @type {Record<string, (c: Client, message: any, now: number) => boolean | void>}
 */
const HEAR = {
  welcome,
  err: refused,
  ping: (c) => write(c, { t: 'pong' }),
  bye(c, bye) {
    c.returnAfter = Math.min(bye.retry ?? 0, WAIT_MAX)
    c.notice('bye', bye)
  },
  ok(c, reply) {
    const flight = c.flights.get(reply.id)
    c.flights.delete(reply.id)
    if (flight) DONE[flight.kind]?.(c, reply, flight)
  },
  msg: (c, msg) => event(c, msg, (held) => said(c, held, msg)),
  change(c, change) {
    if (!isChange(change.op)) return false
    event(c, change, (held) => {
      held.changed(change, c.user)
      if (change.nonce && change.by === c.user) arrived(c, change.room, change.nonce, change.seq)
      c.notice('changed', change)
    })
  },
  room(c, happened) {
    if (happened.seq != null) event(c, happened, (held) => roomChanged(c, held, happened))
    else listed(c, happened)
  },
  bump(c, bump) {
    for (const [room, head, n, flags] of bump.rooms) {
      c.amend(room, (held) => ({
        head: Math.max(held.head, head),
        n: Math.max(held.n, n),
        mentions: held.mentions + (flags & 1), // a message calls the user
      }))
    }
    c.notice('bump', bump)
  },
  seen(c, { room, seq, readn }) {
    if (c.seen(room, seq, readn)) c.notice('seen', { room, seq })
  },
  typing(c, { room, user }, now) {
    const held = c.rooms.get(room)
    held?.typed(user, now)
    if (held) c.notice('typing', { room, user })
  },
  presence(c, { on = [], off = [] }) {
    c.online = new Set([...c.online, ...on].filter((user) => !off.includes(user)))
    c.notice('presence')
  },
}

const ALWAYS = ['welcome', 'err', 'ping', 'bye']

/**
 * @param {Client} c
 * @param {string} text
 * @param {number} now
 */
export function receive(c, text, now) {
  let message
  try {
    message = JSON.parse(text)
  } catch {
    return
  }
  const t = message?.t
  if (typeof t !== 'string' || (c.link !== 'ready' && !ALWAYS.includes(t))) return
  if (Object.hasOwn(HEAR, t) && HEAR[t](c, message, now) !== false) return
  // Of a kind that a later version added: it counts by its place.
  const { room, seq } = message
  if (Number.isInteger(seq)) event(c, message, () => c.notice('unknown', { room, seq }))
}

/**
 * @param {Client} c
 * @param {any} message
 */
function welcome(c, { ping, epoch, user, name, limits, rooms }) {
  if (c.link === 'ready') return
  c.flights.clear()
  c.link = 'ready'
  c.attempts = 0
  c.ping = Math.min(ping, WAIT_MAX)
  const isOtherStore = c.epoch !== null && c.epoch !== epoch
  if (isOtherStore || (c.user !== null && c.user !== user)) {
    for (const held of c.rooms.values()) held.forget()
    c.restored.clear()
    c.reads.clear()
    keep(c, ({ acked }) => acked === null)
  }
  Object.assign(c, { epoch, user, name, limits: { ...c.limits, ...limits } })
  c.list = new Map(rooms.map((/** @type {any} */ held) => [held.id, held]))
  for (const [room, seq] of c.reads) c.seen(room, seq)
  c.isWatchDue = c.watched !== null
  c.notice('welcome', { epoch_changed: isOtherStore })
}

// Answers

/** @type {Record<string, (c: Client, reply: any, flight: Flight) => void>} */
const DONE = {
  open(c, reply, { room }) {
    const held = c.rooms.get(room)
    if (!held) return
    const mode = held.opened(reply)
    const { head, n, last } = held
    c.amend(room, (entry) => ({ head: Math.max(entry.head, head), n: Math.max(entry.n, n) }))
    own(c, room, reply)
    shown(c, room, last ?? 0)
    c.notice(mode, mode === 'replay' ? { room, head } : { room, gap: reply.gap })
  },
  abandoned(c, _, { room }) {
    // Nobody wants what the server is going to send.
    if (!c.rooms.has(room)) c.closing.push(room)
  },
  entry: (c, { m, seq = m }, { nonce }) => acked(c, nonce, seq),
  page(c, reply, { room }) {
    const held = c.rooms.get(room)
    const wanted = held?.pages.find(({ id }) => id === reply.id)
    if (!held || !wanted || !held.page(wanted, reply, c.user)) return
    own(c, room, reply)
    c.notice('page', { room, anchor: wanted.anchor, more: reply.more ?? true })
  },
  watch(c, { online = [] }) {
    c.online = new Set(online)
    c.notice('presence')
  },
}

/**
 * It is durable.
 * @param {Client} c
 * @param {string} nonce
 * @param {number} [seq] none: a change of what was so already
 */
export function acked(c, nonce, seq) {
  const held = entry(c, nonce)
  if (!held) return // the event came first
  const { room } = held
  const there = c.rooms.get(room)
  if (!there || seq == null || seq <= (there.last ?? -1)) keep(c, (other) => other !== held)
  else amend(c, held, { inFlight: false, acked: seq })
  c.notice('acked', { room, nonce, seq })
}

/**
 * What we said came back with its nonce, which proves it as well as an answer does.
 * @param {Client} c
 * @param {string} room
 * @param {string} nonce
 * @param {number} seq
 */
function arrived(c, room, nonce, seq) {
  const held = entry(c, nonce)
  if (held?.room !== room) return
  keep(c, (other) => other !== held)
  if (held.acked === null) c.notice('acked', { room, nonce, seq })
}

/**
 * What is the user's own in a page.
 * @param {Client} c
 * @param {string} room
 * @param {any} reply
 */
function own(c, room, { messages = [] }) {
  for (const { by, nonce, m } of messages) if (nonce && by === c.user) arrived(c, room, nonce, m)
}

/**
 * @param {Client} c
 * @param {any} failure
 * @param {number} now
 */
function refused(c, { id, code, msg, retry, suggest }, now) {
  const flight = c.flights.get(id)
  c.flights.delete(id)
  if (!flight) return c.notice('failure', { code, msg })
  const { kind, room, nonce, seq } = flight
  // A mute may last for days: its author should know.
  const isLater =
    ['slow_mode', 'rate_limited', 'unavailable', 'unauthorized'].includes(code) || (code !== 'muted' && retry != null)
  // A room's own rate; commands of other rooms go on.
  if (isLater && kind !== 'hello') pause(c, kind === 'entry' && code === 'slow_mode' ? room : null, retry, now)
  const held = c.rooms.get(room)
  if (kind === 'hello') {
    if (code === 'name_taken') {
      c.link = 'name_taken'
      c.notice(code, { suggest })
    } else {
      c.returnAfter = Math.min(retry ?? 0, WAIT_MAX)
      c.notice('hello_refused', { code, msg })
    }
  } else if (kind === 'open') {
    if (isLater) held?.subscribe('wanted')
    else if (held) openRefused(c, room, code, msg)
  } else if (kind === 'entry') {
    const waiting = entry(c, nonce)
    if (isLater) return amend(c, waiting, { inFlight: false })
    if (waiting) giveBack(c, [waiting], code, msg)
  } else if (kind === 'page') {
    const wanted = held?.pages.find((page) => page.id === id)
    if (!held || !wanted) return
    if (isLater) {
      wanted.id = null
    } else {
      held.pages = held.pages.filter((page) => page !== wanted)
      c.notice('page_refused', { room, anchor: wanted.anchor, code, msg })
    }
  } else if (isLater && kind === 'read') c.readAgain(room, seq)
  else if (isLater && kind === 'watch') c.isWatchDue = true
  // Until then the server goes on sending what happens there.
  else if (isLater && kind === 'close') c.closing.push(room)
  else c.notice('failure', { code, msg })
}

/**
 * @param {Client} c
 * @param {string} room
 * @param {string} code
 * @param {string} msg
 */
function openRefused(c, room, code, msg) {
  c.forget(room)
  c.notice('open_refused', { room, code, msg })
  giveBack(
    c,
    c.outbox.filter((held) => held.room === room),
    code,
    msg,
  )
}

/**
 * @param {Client} c
 * @param {import('../types').Entry[]} entries
 * @param {string} code
 * @param {string} msg
 */
function giveBack(c, entries, code, msg) {
  keep(c, (held) => !entries.includes(held))
  for (const entry of entries) if (!entry.elsewhere) c.notice('refused', { entry, code, msg })
}

// Events

/**
 * PROTOCOL section 4: applies an event, drops it, or asks for what is missing before it.
 * @param {Client} c
 * @param {{room: string, seq: number}} event
 * @param {(held: Room) => void} apply
 */
function event(c, { room, seq }, apply) {
  const held = c.rooms.get(room)
  if (!held || held.last === null || seq <= held.last) return
  if (seq > held.last + 1) {
    if (held.open) held.subscribe('wanted')
    return
  }
  held.advance(seq)
  c.amend(room, ({ head }) => ({ head: Math.max(head, seq) }))
  apply(held)
  shown(c, room, seq)
}

/**
 * @param {Client} c
 * @param {Room} held
 * @param {any} msg
 */
function said(c, held, msg) {
  const { room, seq, by, nonce, mentions = [] } = msg
  const isOwn = by === c.user
  held.said(msg, c.config.keepMessages)
  c.amend(room, (entry) => {
    const n = Math.max(entry.n, msg.n)
    // Sending counts as reading.
    if (isOwn) return { n, read: seq, readn: n, mentions: 0 }
    const isCalled = mentions.some((/** @type {string} */ mention) => ['@room', '@here', c.user].includes(mention))
    return { n, mentions: entry.mentions + (isCalled ? 1 : 0) }
  })
  if (isOwn && nonce) arrived(c, room, nonce, seq)
  c.notice('message', msg)
}

/**
 * @param {Client} c
 * @param {Room} held
 * @param {any} happened
 */
function roomChanged(c, held, happened) {
  const { room, seq, what, user, text } = happened
  const isMe = user != null && user === c.user
  if (what === 'name') c.amend(room, () => ({ name: text }))
  if (what === 'role' && isMe && text) c.amend(room, () => ({ role: text }))
  if (what === 'post' && text) c.amend(room, () => ({ post: text }))
  c.notice('room', happened)
  // Of a leaving that is replayed with more after it we have come back since.
  if (isMe && seq >= held.head && isLeaving(what)) {
    c.list.delete(room)
    c.forget(room)
  }
}

/**
 * The room entered or left the user's list.
 * @param {Client} c
 * @param {any} happened
 */
function listed(c, happened) {
  const { room, what, entry } = happened
  if (isLeaving(what)) {
    c.list.delete(room)
    c.forget(room)
  } else if (entry) {
    c.list.set(room, entry)
  }
  c.notice('list', happened)
}

/** @param {string} what */
const isLeaving = (what) => what === 'leave' || what === 'kick'
