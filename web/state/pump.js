/** What goes out, and when. */
import { amend, due, entry, keep } from './outbox.js'

/**
 * @typedef {import('./client.js').Client} Client
 * @typedef {import('./client.js').Flight} Flight
 * @typedef {import('./room.js').Room} Room
 */

/** A server can't make us wait for longer, whatever it says. */
export const WAIT_MAX = 10 * 60_000
const RETRY = 1_000 // ms to wait if the server doesn't say

/**
 * @param {Client} c
 * @param {object} message
 */
export function write(c, message) {
  c.outputs.push({ write: JSON.stringify(message) })
}

/** @param {Client} c */
export function greet(c) {
  const { key, name, agent, lang } = c.config
  c.link = 'greeting'
  command(c, { kind: 'hello' }, { t: 'hello', key, name, agent, lang, epoch: c.epoch ?? undefined })
}

/**
 * Sends whatever may be sent: rooms that are to be open first, then the outbox, oldest first.
 * @param {Client} c
 * @param {number} now
 */
export function pump(c, now) {
  if (c.link !== 'ready' || now < c.pausedUntil) return
  c.pausedUntil = 0
  const closing = c.closing
  c.closing = []
  for (const room of closing) {
    // It may have been opened again meanwhile, which replaces the subscription.
    if (!c.rooms.has(room)) command(c, { kind: 'close', room }, { t: 'close', room })
  }
  for (const held of c.rooms.values()) pumpRoom(c, held)
  for (const [room, until] of c.roomPausedUntil) if (until <= now) c.roomPausedUntil.delete(room)
  while (!due(c, (room) => isBusy(c, room)).every(({ nonce }) => pumpEntry(c, nonce)));
  for (const [room, seq] of c.reads) {
    // Positions merge while one is on its way.
    if (isFlying(c, 'read', room)) continue
    c.reads.delete(room)
    command(c, { kind: 'read', room, seq }, { t: 'read', room, seq })
  }
  if (c.isWatchDue) {
    c.isWatchDue = false
    command(c, { kind: 'watch' }, { t: 'watch', users: c.watched })
  }
}

/**
 * @param {Client} c
 * @param {Room} held
 */
function pumpRoom(c, held) {
  const room = held.id
  if (held.subscription === 'wanted') {
    held.subscribe('opening')
    const { pageLimit: limit, replayMax: max } = c.config
    command(c, { kind: 'open', room }, { t: 'open', room, after: held.last ?? undefined, limit, max })
  }
  if (!held.open) return
  for (const page of held.pages) {
    if (page.id !== null) continue
    page.last = held.last ?? 0
    page.id = command(c, { kind: 'page', room }, { t: 'history', room, ...page.anchor, limit: page.limit })
  }
}

/**
 * Whether it is on its way; if not, it is out of the outbox, and the next one is due.
 * @param {Client} c
 * @param {string} nonce
 */
function pumpEntry(c, nonce) {
  const held = entry(c, nonce)
  if (!held) return true
  const { room, send, change } = held
  const message = { t: send ? 'send' : 'change', id: c.lastId + 1, room, nonce, ...send, ...change }
  if (new TextEncoder().encode(JSON.stringify(message)).length > c.limits.frame_bytes) {
    // The server would close the connection, on each attempt anew.
    keep(c, (other) => other !== held)
    c.notice('refused', { entry: held, code: 'too_big', msg: 'longer than a frame may be' })
    return false
  }
  amend(c, held, { inFlight: true })
  command(c, { kind: 'entry', room, nonce }, message)
  return true
}

/**
 * The server wants us to wait: with all, or with one room's outbox.
 * @param {Client} c
 * @param {string | null} room
 * @param {number | undefined} retry
 * @param {number} now
 */
export function pause(c, room, retry, now) {
  const until = now + Math.min(Math.max(retry ?? RETRY, 1), WAIT_MAX)
  if (room === null) c.pausedUntil = Math.max(c.pausedUntil, until)
  else c.roomPausedUntil.set(room, until)
  c.notice('paused', { room, until })
}

/**
 * @param {Client} c
 * @param {Flight} flight
 * @param {object} message
 */
function command(c, flight, message) {
  const id = ++c.lastId
  c.flights.set(id, flight)
  write(c, { ...message, id })
  return id
}

/**
 * Whether the room's next entry has to wait.
 * @param {Client} c
 * @param {string} room
 */
const isBusy = (c, room) => c.roomPausedUntil.has(room) || isFlying(c, 'entry', room)

/**
 * @param {Client} c
 * @param {string} kind
 * @param {string} room
 */
function isFlying(c, kind, room) {
  for (const flight of c.flights.values()) if (flight.kind === kind && flight.room === room) return true
  return false
}
