import { computed, signal } from '@preact/signals'
import { answering, asked, call } from '../../lib/complete.js'
import { mark, tone } from '../../lib/mark.js'
import { ui } from '../../model/ui.js'
import { replace } from './text.js'

/** @import { Emoji, search, glyphOf } from '../../lib/emoji.js' */
/** @typedef {{ key: string, sign: string, label: string, note: string, put: string, tone?: number, online?: boolean }} Suggestion */

/** Emoji, once one was asked for. */
const emoji = signal(/** @type {{ all: Emoji[], search: typeof search, glyphOf: typeof glyphOf } | null} */ (null))
const SHOWN = 8
const NAMED = /(?<=^|[\s(]):([\w+-]+):$/

async function loadEmoji() {
  const { load, search, glyphOf } = await import('../../lib/emoji.js')
  emoji.value = { all: await load(), search, glyphOf }
}

const EVERYBODY = [
  { user: '@here', name: 'here' },
  { user: '@room', name: 'room' },
]

/** Whom an `@`, or what a `:` before the caret may mean; one for each field. */
export class Suggestions {
  /** what is asked for; null: nothing, or it was closed */
  asked = signal(/** @type {import('../../lib/complete.js').Asked | null} */ (null))
  active = signal(0)
  items = computed(() => this.#find())
  shownId = computed(() => (this.items.value.length ? this.id : undefined))
  activeId = computed(() => (this.items.value.length ? `${this.id}-${this.active.value}` : undefined))

  #chat
  #room
  #closedAt = -1
  #held = '' // the arrow that went down and has already moved

  /**
   * @param {import('../../model/chat.js').Chat} chat
   * @param {string} room
   * @param {string} id of the list's element
   */
  constructor(chat, room, id) {
    this.#chat = chat
    this.#room = room
    this.id = id
  }

  get isOpen() {
    return this.items.peek().length > 0
  }

  /** Whether choosing would change anything; else Enter is no choice. @param {HTMLTextAreaElement} field */
  offers(field) {
    const [item, ...others] = this.items.peek()
    const { at = 0 } = this.asked.peek() ?? {}
    return !!item && (others.length > 0 || field.value.slice(at, field.selectionStart) !== item.put.trim())
  }

  /** The text or the caret has changed. @param {HTMLTextAreaElement} field */
  look({ value, selectionStart, selectionEnd }) {
    const found = selectionStart === selectionEnd ? asked(value, selectionStart) : null
    if (found?.at !== this.#closedAt) this.#closedAt = -1
    const old = this.asked.peek()
    if (old?.at === found?.at && old?.query === found?.query) return
    this.active.value = 0
    this.asked.value = this.#closedAt < 0 ? found : null
  }

  close() {
    this.#closedAt = this.asked.peek()?.at ?? -1
    this.asked.value = null
  }

  /**
   * A key went down or up in the field. While a syllable is composed an arrow comes once as the input method's and, on
   * some systems, a second time as itself.
   * @param {KeyboardEvent} event
   * @returns {'moved' | 'choose' | 'closed' | undefined}
   */
  key({ type, key, code, repeat, keyCode }) {
    if (type === 'keyup') this.#held = ''
    if (type !== 'keydown' || !this.isOpen) return
    const name = key === 'Process' || key === 'Unidentified' ? code : key
    if (name === 'Tab') return 'choose'
    if (name === 'Escape') {
      this.close()
      return 'closed'
    }
    const step = { ArrowDown: 1, ArrowUp: -1 }[name]
    if (!step) return
    const again = this.#held === name && !repeat
    this.#held = keyCode === 229 ? name : ''
    const { length } = this.items.peek()
    if (!again) this.active.value = (this.active.peek() + step + length) % length
    return 'moved'
  }

  /**
   * Puts a suggestion in the place of what asked for it.
   * @param {HTMLTextAreaElement} field
   * @param {number} [n]
   * @param {() => void} [before] ends what is being composed
   */
  choose(field, n = this.active.peek(), before) {
    const { at } = this.asked.peek() ?? {}
    const item = this.items.peek()[n]
    if (at === undefined || !item) return
    before?.()
    replace(field, at, field.selectionStart, item.put)
    this.#closedAt = at
    this.asked.value = null
  }

  /** A name between two colons has just been typed. @param {HTMLTextAreaElement} field */
  named(field) {
    const { value, selectionStart: end } = field
    const [whole, name] = NAMED.exec(value.slice(0, end)) ?? []
    if (!whole || !name) return
    const known = emoji.peek()
    if (!known) return void loadEmoji().then(() => this.named(field), () => {})
    const glyph = known.glyphOf(known.all, name)
    if (glyph) replace(field, end - whole.length, end, glyph)
  }

  /** @returns {Suggestion[]} */
  #find() {
    const found = this.asked.value
    if (found?.kind === ':') return this.#emoji(found.query)
    return found ? this.#people(found.query) : []
  }

  /** @param {string} query @returns {Suggestion[]} */
  #emoji(query) {
    if (!emoji.value) loadEmoji().catch(() => {}) // the next letter tries again
    const found = emoji.value?.search(emoji.value.all, query, SHOWN) ?? []
    return found.map(({ glyph, codes, name }) => ({ key: glyph, sign: glyph, label: name[ui.lang.value], note: `:${codes[0]}:`, put: glyph }))
  }

  /** @param {string} query @returns {Suggestion[]} */
  #people(query) {
    const chat = this.#chat
    const { messages } = chat.timeline(this.#room).peek()
    const spoke = new Map(messages.map(({ by, m }) => [by, m]))
    // Everybody is in the lobby without being listed; who spoke is known.
    const known = new Map(messages.map(({ by, name }) => [by, name]))
    for (const { user, name } of chat.detail(this.#room).value?.members ?? []) known.set(user, name)
    const online = chat.online.peek()
    const me = chat.me.peek()?.user
    const entry = chat.entry(this.#room)
    const all = entry?.role === 'owner' || entry?.kind === 'direct' ? EVERYBODY : []
    const people = [...known].filter(([user]) => user !== me)
    return [
      ...answering(query, people.map(([user, name]) => ({ user, name, online: online.has(user), spoke: spoke.get(user) }))),
      ...answering(query, all.map((each) => ({ ...each, online: false }))),
    ].map(({ user, name, online }) => ({
      key: user,
      sign: user[0] === '@' ? '@' : mark(name),
      tone: user[0] === '@' ? 0 : tone(user),
      label: name,
      note: user === '@room' ? 'everybody' : user === '@here' ? 'present' : online ? 'online' : '',
      put: call(name),
      online,
    }))
  }
}
