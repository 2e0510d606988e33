import { Storage } from './storage.js'
import { Tabs } from './tabs.js'

/** @import { Client } from '../state/client.js' */
/** @import { Entry, Notice, Saved, Waiting } from '../types' */
/** @import { Session } from './session.js' */

const SHOWN = 200 // messages of each room that a reload shows at once
const ROOMS = 20 // rooms of which they are kept
const LATER = 1_000 // ms after a change in which others come along
const AGAIN = 5_000 // ms after which a tab that is gone is missed; one that is loaded again comes back before

/**
 * Keeps what the user said over reload and crash, in agreement with the user's other tabs; and the last screens.
 *
 * What is said is on its way to the disk and to the server at the same time: its line is in the next frame and no
 * sending waits for a disk. A reload or crash loses it only in the few ms before the browser has the write, if it
 * didn't reach the server either. It is dropped when the server says that it is durable there.
 */
export class Keeper {
  #storage
  #tabs
  #session = /** @type {Session | null} */ (null)
  /** what other pages left: perhaps one that still lives */
  #found
  #outbox = /** @type {Entry[]} */ ([])
  /** where entries of the last moment ended @type {Map<string, any>} */
  #fates = new Map()
  #refused = /** @type {Set<string>} */ (new Set())
  #made = 0
  #me = ''
  #written = new Map()
  #timer = 0
  #patrol = 0

  /** @param {string} name of the user's, for a database and a channel */
  static async open(name) {
    const storage = new Storage(name)
    const [[meta], rooms, outbox] = await Promise.all([storage.all('meta'), storage.all('rooms'), storage.all('outbox')])
    return new Keeper(storage, name, meta ?? {}, rooms, outbox)
  }

  /**
   * @param {Storage} storage
   * @param {string} name
   * @param {any} meta
   * @param {any[]} rooms
   * @param {any[]} outbox
   */
  constructor(storage, name, { epoch, user, name: called, list = [] }, rooms, outbox) {
    this.#storage = storage
    this.#found = outbox.sort((a, b) => a.made - b.made)
    const known = new Set(list.map((/** @type {any} */ { id }) => id))
    rooms.sort((a, b) => b.at - a.at)
    const kept = rooms.filter((room, i) => room.epoch === epoch && known.has(room.id) && i < ROOMS)
    for (const room of rooms) if (!kept.includes(room)) storage.drop('rooms', room.id)
    /** @type {Partial<Saved>} for the client */
    this.saved = {
      ...{ epoch, user, name: called, list },
      outbox: outbox.filter(({ code }) => !code).map(({ room, nonce, send, change }) => ({ room, nonce, send, change, elsewhere: true })),
      rooms: Object.fromEntries(kept.map((room) => [room.id, room])),
    }
    this.#tabs = new Tabs(name, {
      made: (waiting) => this.#session?.do((client) => client.shadow(waiting)),
      gone: (nonce, seq) => this.#session?.do((client) => client.gone(nonce, seq)),
      held: () => ({ waiting: this.#outbox.filter((held) => isOurs(held) && held.acked === null).map(waiting), refused: [...this.#refused] }),
    })
  }

  /** Goes on when it is known what is this tab's to send. @param {Session} session */
  async start(session) {
    this.#session = session
    const write = () => this.#write()
    addEventListener('pagehide', write)
    document.addEventListener('visibilitychange', () => document.hidden && write())
    const claims = this.#adopt()
    if (!this.#found.length) return
    const claimed = await claims
    for (const { code, msg, made, ...entry } of this.#found) {
      if (code && !claimed.has(entry.nonce)) session.tell({ notice: 'refused', entry, code, msg })
    }
  }

  /** @param {Notice} notice */
  heard({ notice, entry, nonce, seq, code, msg }) {
    if (notice === 'acked') this.#fates.set(nonce, { seq: seq ?? null })
    if (notice !== 'refused') return
    this.#refused.add(entry.nonce)
    this.#fates.set(entry.nonce, { code, msg })
  }

  /** The user has taken note of a refusal. @param {string} nonce */
  forget(nonce) {
    this.#refused.delete(nonce)
    this.#storage.drop('outbox', nonce)
  }

  /** After each thing that happened. @param {Client} client */
  sync({ outbox }) {
    this.#timer ||= setTimeout(() => this.#write(), LATER)
    if (!outbox.every(isOurs)) this.#patrol ||= setTimeout(() => this.#adopt(), AGAIN)
    if (outbox === this.#outbox) return
    const before = new Map(this.#outbox.map((held) => [held.nonce, held]))
    this.#outbox = outbox
    for (const held of outbox) {
      const old = before.get(held.nonce)
      if (held.acked === null) before.delete(held.nonce)
      if (!isOurs(held) || held.acked !== null || (old && isOurs(old))) continue
      this.#store(held)
      this.#tabs.made(waiting(held))
    }
    for (const gone of before.values()) {
      if (!isOurs(gone) || gone.acked !== null) continue
      const { seq, code, msg } = this.#fates.get(gone.nonce) ?? {}
      if (code) this.#store({ ...gone, code, msg })
      else this.#storage.drop('outbox', gone.nonce)
      this.#tabs.gone(gone.nonce, seq)
    }
    this.#fates.clear()
  }

  // Private

  // What no living tab sends is sent by this one. If one does after all, it is said once, by its nonce.
  async #adopt() {
    clearTimeout(this.#patrol)
    const claimed = await this.#tabs.claimed()
    this.#patrol = 0
    this.#session?.do((client, now) => client.adopt((nonce) => !claimed.has(nonce), now))
    return claimed
  }

  /** @param {Entry & { code?: string, msg?: string }} entry */
  #store({ code, msg, ...entry }) {
    this.#made = Math.max(this.#made + 1, Date.now())
    this.#storage.put('outbox', { ...waiting(entry), code, msg, made: this.#made })
  }

  #write() {
    clearTimeout(this.#timer)
    this.#timer = 0
    const client = this.#session?.client
    if (!client?.epoch) return
    const { epoch, user, name, list, rooms } = client.saved(SHOWN)
    const me = JSON.stringify([epoch, user, name, list])
    if (me !== this.#me) this.#storage.put('meta', { id: 'me', epoch, user, name, list })
    this.#me = me
    for (const [id, cached] of Object.entries(rooms)) {
      const view = client.rooms.get(id)?.view
      if (this.#written.get(id) === view) continue
      this.#written.set(id, view)
      this.#storage.put('rooms', { ...cached, id, epoch, at: Date.now() })
    }
  }
}

/** @param {Entry} entry */
const isOurs = ({ elsewhere }) => !elsewhere

/** @param {Waiting} entry @returns {Waiting} */
const waiting = ({ room, nonce, send, change }) => ({ room, nonce, send, change })
