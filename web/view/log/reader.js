import { effect, signal } from '@preact/signals'
import { Announcer } from '../../lib/announcer.js'
import { plain } from '../../lib/markdown.js'
import { ui } from '../../model/ui.js'
import { words } from '../../model/words.js'
import { isWhole } from '../../state/rows.js'
import { find, place } from '../../state/timeline.js'
import { around, fitted, moved, newest, span } from '../../state/window.js'

/** @import { Message, Timeline } from '../../types' */

const PREFETCH = 2 // screens to be seen yet when more is got
const ABOVE_LINE = 96 // px between the upper edge and the line of what is new, after a jump to it
const LIT = 2000 // ms

/** Where the reader was in the rooms that were left. @type {Map<string, { window: import('../../state/window.js').Window, at: import('./scroll.js').Place }>} */
const places = new Map()

const attention = signal(true)
const look = () => (attention.value = !document.hidden && document.hasFocus())
for (const event of ['focus', 'blur', 'visibilitychange']) addEventListener(event, look, true)
look()

/** Somebody who reads a room: what of it is on the page, what is new to them, what is read. */
export class Reader {
  window
  /** what was new when the room was shown, from the last `seq` read on */
  line = signal(/** @type {{ seq: number, count: number } | null} */ (null))
  isLineAbove = signal(false)
  isAtEnd = signal(true)
  /** whether the end is more than a screen away */
  isFar = signal(false)
  /** how many messages there were when the end was last in view */
  seen = signal(Infinity)
  /** the message whose actions are shown */
  active = signal(0)
  /** what of them is open; they stay as long as it is */
  menu = signal(/** @type {'' | 'open' | 'sure' | 'emoji'} */ (''))
  /** for who can't see it: the newest message */
  said = signal('')
  scroll = /** @type {import('./scroll.js').Scroll | null} */ (null)
  #announcer = new Announcer(
    (text) => (this.said.value = text),
    (count) => words.value.log.heard(count),
  )
  #known = 0
  #isLineDue = true
  #isLineSeen = false
  #loading = new Set()
  #stop = /** @type {HTMLElement | null} */ (null)
  #answered = /** @type {Map<number, import('@preact/signals').Signal<Message | null | undefined>>} */ (new Map())

  /**
   * @param {import('../../model/chat.js').Chat} chat
   * @param {string} room
   */
  constructor(chat, room) {
    this.chat = chat
    this.room = room
    this.timeline = chat.timeline(room)
    this.window = signal(places.get(room)?.window ?? newest(this.timeline.peek().messages))
  }

  get entry() {
    return this.chat.entry(this.room)
  }

  /** @param {import('./scroll.js').Scroll} scroll */
  start(scroll) {
    this.scroll = scroll
    const back = places.get(this.room)
    if (back) this.seen.value = this.entry?.readn ?? Infinity
    if (back) scroll.to(back.at.m, back.at.top)
    else scroll.settle()
    const asked = ui.allRead.peek()
    const sent = new Set(this.chat.outbox.peek().map(({ nonce }) => nonce))
    const stops = [
      effect(() => this.#draw()),
      effect(() => this.#grown(this.timeline.value)),
      effect(() => this.#read()),
      effect(() => {
        for (const { nonce, room, send } of this.chat.outbox.value) {
          if (send && room === this.room && !sent.has(nonce) && attention.peek()) this.toEnd() // not for another tab's
          sent.add(nonce)
        }
      }),
      ui.allRead.subscribe((times) => times > asked && this.readAll()),
      effect(() => {
        const target = ui.target.value
        if (target?.room !== this.room) return
        ui.target.value = null
        this.go(target.m)
      }),
    ]
    return () => {
      for (const stop of stops) stop()
      const at = scroll.place()
      if (at) places.set(this.room, { window: this.window.peek(), at })
      else places.delete(this.room)
      scroll.stop()
    }
  }

  /** After each scroll. @param {number} above screens to be seen there @param {number} below */
  scrolled(above, below) {
    const line = this.scroll?.row('new')
    const isPast = this.line.peek() && (line ? Number(this.scroll?.above(line)) > 0 : this.#isBelowLine())
    if (line && !isPast) this.#isLineSeen = true
    this.isLineAbove.value = !!isPast && !this.#isLineSeen
    this.isAtEnd.value = !!this.scroll?.following
    this.isFar.value = below > 1 || this.window.peek().to < Infinity
    if (this.isAtEnd.peek()) this.seen.value = this.timeline.peek().n
    if (above < PREFETCH) this.#up()
    if (below < PREFETCH) this.#down()
  }

  /** The reader points at a message, or at none. @param {number} m */
  point(m) {
    if (!this.menu.peek()) this.active.value = m
  }

  /** Opens what can be done with a message. @param {number} m @param {'open' | 'sure' | 'emoji'} what */
  open(m, what) {
    this.active.value = m
    this.menu.value = what
  }

  /** One message can be reached by Tab: where the keyboard was last. @param {HTMLElement | null} row */
  focus(row) {
    if (!row) return
    if (row.contains(document.activeElement)) this.point(Number(row.dataset.m ?? 0))
    if (this.#stop) this.#stop.tabIndex = -1
    this.#stop = row
    row.tabIndex = 0
  }

  /** To the newest, and stay there. */
  toEnd() {
    if (!this.scroll) return
    const { messages } = this.timeline.peek()
    if (this.window.peek().to < Infinity) {
      this.scroll.following = true
      this.window.value = newest(messages)
    } else this.scroll.toEnd()
  }

  /** To a message, which lights up. @param {number} m */
  async go(m) {
    const held = await this.#around(m)
    if (held === undefined) return
    const focused = document.activeElement
    const isByKey = focused?.matches(':focus-visible') && !focused.matches('textarea, input')
    const row = await this.scroll?.to(held)
    row?.classList.add('lit')
    setTimeout(() => row?.classList.remove('lit'), LIT)
    if (isByKey) row?.focus({ preventScroll: true })
  }

  /** To where the new begins. */
  async toLine() {
    const line = this.line.peek()
    if (!line) return
    await this.#around(line.seq + 1)
    this.scroll?.to('new', ABOVE_LINE)
  }

  /** All is read, and there is no line any more. */
  readAll() {
    this.line.value = null
    this.isLineAbove.value = false
    this.chat.read(this.room, this.timeline.peek().last)
    this.toEnd()
  }

  /** @param {{ after: number } | { before: number }} anchor */
  async load(anchor) {
    this.#loading.add(anchor)
    await this.chat.page(this.room, anchor).catch(() => {})
    this.#loading.delete(anchor)
  }

  /** A message that is answered and isn't in memory: undefined so far, null if there is none. @param {number} m */
  answered(m) {
    const known = this.#answered.get(m)
    if (known) return known
    const asked = signal(/** @type {Message | null | undefined} */ (undefined))
    this.#answered.set(m, asked)
    this.chat.api.message(this.room, m).then(
      (message) => (asked.value = message),
      () => (asked.value = null),
    )
    return asked
  }

  // Private

  /** @param {number} m @returns {Promise<number | undefined>} the message, or the one at its place */
  async #around(m) {
    if (!find(this.timeline.peek().messages, m)) await this.chat.page(this.room, { around: m }).catch(() => {})
    const { messages } = this.timeline.peek()
    const at = Math.min(place(messages, m), messages.length - 1)
    const { start, end } = span(messages, this.window.peek())
    if (at < start || at >= end) this.window.value = around(messages, messages[at]?.m ?? m)
    return messages[at]?.m
  }

  #isBelowLine() {
    const { messages } = this.timeline.peek()
    const first = messages[span(messages, this.window.peek()).start]
    return first?.m > (this.line.peek()?.seq ?? Infinity)
  }

  /** @param {Timeline} timeline */
  #grown({ messages, n, open }) {
    const window = this.window.peek()
    const { start, end } = span(messages, window)
    if (start === end && messages.length) this.window.value = newest(messages)
    else this.window.value = fitted(messages, window, this.scroll?.place()?.m ?? Infinity)
    if (this.isAtEnd.peek()) this.seen.value = n
    const me = this.chat.me.peek()?.user
    const fresh = this.#known ? messages.slice(place(messages, this.#known + 1)).filter(({ by }) => by !== me) : []
    if (!open) this.#loading.clear() // after a restart nobody may answer
    if (open) this.#known = messages.at(-1)?.m ?? 1
    for (const { name, text } of fresh) this.#announcer.add(`${name}: ${plain(text ?? '')}`)
  }

  // The line is drawn when the room is shown, and again at what comes while nobody looks.
  #draw() {
    const { entry } = this
    if (!entry) return
    const isNew = entry.n > entry.readn
    if (!attention.value && !isNew) this.#isLineDue = true
    if (this.#isLineDue && isNew) {
      this.#isLineSeen = false
      this.#isLineDue = false
      this.line.value = { seq: entry.read, count: entry.n - entry.readn }
    }
    if (attention.value) this.#isLineDue = false
  }

  #read() {
    const { last, open } = this.timeline.value
    if (attention.value && this.isAtEnd.value && open && this.entry) this.chat.read(this.room, last)
  }

  #up() {
    const timeline = this.timeline.peek()
    const { messages, ranges, open } = timeline
    const window = this.window.peek()
    if (span(messages, window).start > 0) this.window.value = moved(messages, window, -1)
    else if (open && !this.#loading.size && ranges.length && !isWhole(timeline)) this.load({ before: ranges[0].low })
  }

  #down() {
    const window = this.window.peek()
    if (window.to < Infinity) this.window.value = moved(this.timeline.peek().messages, window, 1)
  }
}
