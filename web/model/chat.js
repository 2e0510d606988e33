import { computed, signal } from '@preact/signals'
import { Session } from '../net/session.js'
import { ui } from './ui.js'

/** @import { Anchor, Detail, Entry, Failed, Limits, RoomEntry, Timeline } from '../types' */
/** @import { Client } from '../state/client.js' */
/** @import { Api } from '../net/api.js' */

const PATIENCE = 2000 // ms without a connection that nobody needs to hear of
const KEPT_OPEN = 5 // rooms that are followed after they were left, so that coming back shows them at once
const PAGE = 50 // messages
/** @type {Timeline} */
const NOTHING = { messages: [], ranges: [], n: 0, head: 0, first: 1, last: 0, open: false }
/** @type {(a: RoomEntry, b: RoomEntry) => number} */
const byName = (a, b) => (a.name ?? '').localeCompare(b.name ?? '', undefined, { numeric: true })

/** The chat as views read it, in signals, and what they may do to it. */
export class Chat {
  link = signal('down')
  stopped = signal(/** @type {string | null} */ (null))
  me = signal(/** @type {{ user: string, name: string } | null} */ (null))
  /** the name can't be had: a free one, or why */
  taken = signal(/** @type {{ suggest?: string, msg?: string } | null} */ (null))
  rooms = signal(/** @type {RoomEntry[]} */ ([]))
  /** the room in view */
  room = signal('lobby')
  outbox = signal(/** @type {Entry[]} */ ([]))
  failed = signal(/** @type {Failed[]} */ ([]))
  online = signal(/** @type {Set<string>} */ (new Set()))
  limits = signal(/** @type {Limits} */ ({ text_chars: 8000 }))
  /** something that was asked for can't be: a sentence of the server's */
  complaint = signal('')

  #late = signal(false)
  #behind = signal(false)

  /** What has to be said of the connection; null while all is well. */
  state = computed(() => {
    if (this.stopped.value) return `stopped_${this.stopped.value}`
    if (this.link.value !== 'ready') return this.#late.value ? (this.me.value ? 'reconnecting' : 'connecting') : null
    return this.#behind.value ? 'catching-up' : null
  })

  /** The rooms as the sidebar has them: unread first, then by name; direct messages after the others. */
  list = computed(() => {
    const rank = (/** @type {RoomEntry} */ room) => (room.n > room.readn ? 0 : 1)
    const rooms = [...this.rooms.value].sort((a, b) => rank(a) - rank(b) || byName(a, b))
    return [...rooms.filter(({ kind }) => kind !== 'direct'), ...rooms.filter(({ kind }) => kind === 'direct')]
  })

  #client
  #session
  #timelines = /** @type {Map<string, import('@preact/signals').Signal<Timeline>>} */ (new Map())
  #typing = /** @type {Map<string, import('@preact/signals').Signal<string[]>>} */ (new Map())
  #details = /** @type {Map<string, import('@preact/signals').Signal<Detail | null>>} */ (new Map())
  #names = /** @type {Map<string, string>} */ (new Map())
  #pages = /** @type {{ room: string, anchor: string, done(more: boolean): void, fail(error: Error): void }[]} */ ([])
  #visited = /** @type {string[]} */ ([])
  #listeners = /** @type {Set<(notice: any) => void>} */ (new Set())
  #frame = 0
  #patience = 0

  /**
   * @param {Client} client
   * @param {Api} api
   * @param {import('../net/keeper.js').Keeper} [keeper]
   */
  constructor(client, api, keeper) {
    this.api = api
    this.#client = client
    this.#session = new Session(client, { notice: (notice) => this.#heard(notice), change: () => this.#later() }, keeper)
  }

  start() {
    this.#session.start()
    this.#settle()
  }

  // What there is

  /** @param {string} room */
  entry(room) {
    return this.rooms.value.find(({ id }) => id === room)
  }

  /** What is known of a room's messages; another object after each change. @param {string} room */
  timeline(room) {
    return of(this.#timelines, room, () => {
      this.#learn(room)
      return this.#view(room)
    })
  }

  /** Who is writing in a room. @param {string} room */
  typing(room) {
    return of(this.#typing, room, () => /** @type {string[]} */ ([]))
  }

  /** A room's topic and members, asked for when first looked at. @param {string} room */
  detail(room) {
    return of(this.#details, room, () => {
      this.#ask(room)
      return /** @type {Detail | null} */ (null)
    })
  }

  /** @param {string} user */
  nameOf(user) {
    return this.#names.get(user) ?? user
  }

  /** Tells of each notice of the machine, as it comes. @param {(notice: any) => void} listener */
  listen(listener) {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  // What may be done

  /** Goes to a room, and to a message of it. @param {string} room @param {number} [m] */
  show(room, m) {
    this.#visited = [room, ...this.#visited.filter((id) => id !== room)]
    this.#session.do((client, now) => {
      for (const gone of this.#visited.splice(KEPT_OPEN)) client.close(gone, now)
      client.open(room, now)
    })
    this.room.value = room
    ui.target.value = m ? { room, m } : null
    ui.side.value = 'log'
    const hash = `#/${room}${m ? `/${m}` : ''}`
    if (location.hash !== hash) history.pushState(null, '', hash)
    this.#settle()
  }

  /** False: there is too much that waits. @param {string} room @param {string} text @param {number} [reply] */
  say(room, text, reply) {
    return this.#put((nonce, client, now) => client.send({ room, nonce, text, reply: reply ?? null }, now))
  }

  /** As `say`. @param {string} room @param {number} m @param {string} text */
  edit(room, m, text) {
    return this.#put((nonce, client, now) => client.change({ room, nonce, m, op: 'edit', text }, now))
  }

  /** @param {string} room @param {number} m */
  remove(room, m) {
    this.#put((nonce, client, now) => client.change({ room, nonce, m, op: 'delete' }, now))
  }

  /** Reacts, or takes it back. @param {string} room @param {number} m @param {string} emoji */
  react(room, m, emoji) {
    const mine = this.#client.rooms.get(room)?.message(m)?.reactions.some((reaction) => reaction.emoji === emoji && reaction.mine)
    this.#put((nonce, client, now) => client.change({ room, nonce, m, op: mine ? 'unreact' : 'react', emoji }, now))
  }

  /** @param {string} room @param {number} m @param {boolean} on */
  pin(room, m, on) {
    this.#put((nonce, client, now) => client.change({ room, nonce, m, op: on ? 'pin' : 'unpin' }, now))
  }

  /** The user has read a room up to `seq`. @param {string} room @param {number} seq */
  read(room, seq) {
    if (seq > (this.entry(room)?.read ?? Infinity)) this.#session.do((client, now) => client.read(room, seq, now))
  }

  /**
   * Loads a page of a room that is open.
   * @param {string} room
   * @param {Anchor} anchor
   * @returns {Promise<boolean>} whether there is more on that side
   */
  page(room, anchor) {
    const asked = new Promise((done, fail) => {
      this.#pages.push({ room, anchor: JSON.stringify(anchor), done, fail })
      this.#session.do((client, now) => client.history(room, anchor, PAGE, now))
    })
    return asked.then((more) => {
      this.#settle() // who asked looks at the timeline
      return more
    })
  }

  /** Sends again what was refused, under its old nonce. @param {string} nonce */
  retry(nonce) {
    const entry = this.failed.value.find((entry) => entry.nonce === nonce)
    if (!entry) return
    this.discard(nonce)
    this.#session.do((client, now) =>
      entry.send ? client.send({ ...entry, ...entry.send }, now) : entry.change && client.change({ ...entry, ...entry.change }, now),
    )
    this.#settle()
  }

  /** Takes back what isn't sent, or was refused. @param {string} nonce @returns {string} its text */
  discard(nonce) {
    const refused = this.failed.value.find((entry) => entry.nonce === nonce)
    this.failed.value = this.failed.value.filter((entry) => entry !== refused)
    if (refused) this.#session.forget(nonce)
    const entry = refused ?? this.#session.do((client) => client.withdraw(nonce))
    this.#settle()
    return entry?.send?.text ?? entry?.change?.text ?? ''
  }

  /** The user is writing. @param {string} room */
  write(room) {
    this.#session.do((client, now) => client.typing(room, now))
  }

  /** Whose coming and going is of interest. @param {string[]} users */
  watch(users) {
    this.#session.do((client, now) => client.watch(users, now))
  }

  /** Another name, after somebody else had it. @param {string} name */
  rename(name) {
    this.taken.value = null
    this.#session.do((client, now) => {
      client.rename(name, now)
      client.wake(now) // after a name that can't be anybody's there is no connection
    })
  }

  // What happens

  /** @param {(nonce: string, client: Client, now: number) => unknown} command */
  #put(command) {
    const done = this.#session.do((client, now) => command(nonce(), client, now))
    this.#settle() // in this very frame
    return done !== false
  }

  /** @param {any} notice */
  #heard(notice) {
    switch (notice.notice) {
      case 'welcome':
        for (const room of this.#details.keys()) this.#ask(room) // who knows what happened meanwhile
        break
      case 'name_taken':
        this.taken.value = notice
        break
      case 'hello_refused':
        if (notice.code === 'bad_field') this.taken.value = notice
        else this.complaint.value = notice.msg
        break
      case 'refused':
        this.failed.value = [...this.failed.value, { ...notice.entry, code: notice.code, msg: notice.msg }]
        break
      case 'reset':
        this.#learn(notice.room)
        break
      case 'page':
        this.#learn(notice.room)
      // falls through
      case 'page_refused': {
        const anchor = JSON.stringify(notice.anchor)
        const asked = this.#pages.filter((page) => page.room === notice.room && page.anchor === anchor)
        this.#pages = this.#pages.filter((page) => !asked.includes(page))
        for (const { done, fail } of asked) notice.notice === 'page' ? done(notice.more) : fail(Object.assign(new Error(notice.msg), notice))
        break
      }
      case 'open_refused':
        this.complaint.value = notice.msg
        if (this.room.value === notice.room && notice.room !== 'lobby') this.show('lobby')
        break
      case 'failure':
        this.complaint.value = notice.msg
        break
      case 'room':
      case 'list':
        this.#changed(notice)
        break
    }
    if (notice.by && notice.name) this.#names.set(notice.by, notice.name)
    for (const listener of this.#listeners) listener(notice)
  }

  /** @param {any} event */
  #changed(event) {
    const detail = this.#details.get(event.room)
    if (!detail) return
    if (event.what === 'topic' && detail.value) detail.value = { ...detail.value, topic: event.text ?? '' }
    else this.#ask(event.room)
  }

  /** @param {string} room */
  async #ask(room) {
    if (this.#client.link !== 'ready') return // the server doesn't know a new user before; `welcome` asks
    const detail = await this.api.room(room).catch(() => null)
    if (!detail) return
    for (const { user, name } of detail.members) this.#names.set(user, name)
    this.detail(room).value = detail
  }

  #later() {
    if (this.#frame) return
    const settle = () => this.#settle()
    this.#frame = document.hidden ? -setTimeout(settle, 50) : requestAnimationFrame(settle)
  }

  #settle() {
    if (this.#frame > 0) cancelAnimationFrame(this.#frame)
    else clearTimeout(-this.#frame)
    this.#frame = 0
    const client = this.#client
    this.link.value = client.link
    this.stopped.value = client.stopped ?? null
    if (client.user && this.me.peek()?.name !== client.name) this.me.value = { user: client.user, name: client.name ?? '' }
    if (client.limits) this.limits.value = client.limits
    this.rooms.value = alike(this.rooms.peek(), [...client.list.values()])
    this.outbox.value = client.outbox
    this.online.value = client.online
    for (const [room, timeline] of this.#timelines) timeline.value = this.#view(room)
    for (const [room, typing] of this.#typing) {
      const writing = [...(client.rooms.get(room)?.typing.keys() ?? [])]
      if (String(writing) !== String(typing.peek())) typing.value = writing
    }
    const room = client.rooms.get(this.room.peek())
    this.#behind.value = !!room && (!room.open || room.last !== room.head)
    if (client.link === 'ready') {
      clearTimeout(this.#patience)
      this.#patience = 0
      this.#late.value = false
    } else this.#patience ||= setTimeout(() => (this.#late.value = true), PATIENCE)
  }

  /** @param {string} room @returns {Timeline} the same one until something changes */
  #view(room) {
    return this.#client.rooms.get(room)?.view ?? NOTHING
  }

  /** How those are called who wrote what came by itself, not as events. @param {string} room */
  #learn(room) {
    for (const { by, name } of this.#client.rooms.get(room)?.messages ?? []) this.#names.set(by, name)
  }
}

/**
 * @template T
 * @param {Map<string, import('@preact/signals').Signal<T>>} map
 * @param {string} key
 * @param {() => T} make
 */
function of(map, key, make) {
  const found = map.get(key) ?? signal(make())
  map.set(key, found)
  return found
}

/**
 * The list before, if the new one is the same: then nobody has to look at it again.
 * @template T
 * @param {T[]} before
 * @param {T[]} now
 */
const alike = (before, now) => (before.length === now.length && before.every((held, i) => held === now[i]) ? before : now)

/** 128 bits from the platform, in 22 characters of a nonce. */
export function nonce() {
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  return btoa(String.fromCharCode(...bytes)).replace(/\+/g, '-').replace(/\//g, '_').replace(/=/g, '')
}
