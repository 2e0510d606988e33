import { Component } from 'preact'
import { rows, same } from '../../state/rows.js'
import { span } from '../../state/window.js'
import { html } from '../html.js'
import { Failed } from './failed.js'
import { Day, Gap, More, New, Start } from './lines.js'
import { Message } from './message.js'
import { day } from './time.js'

/** @import { Row } from '../../state/rows.js' */

const VIEWS = { message: Message, pending: Message, failed: Failed, gap: Gap, day: Day, new: New, start: Start, more: More }

/**
 * The rows that are on the page. One that is drawn alike stays the same object, and as each reads a signal, it isn't drawn
 * again: that is what makes a new message cheap.
 */
export class Rows extends Component {
  #drawn = /** @type {Map<string, Row>} */ (new Map())

  getSnapshotBeforeUpdate() {
    this.#reader.scroll?.measure()
    return null
  }

  componentDidUpdate() {
    const { scroll, window } = this.#reader
    if (!scroll) return
    scroll.isWhole = window.peek().to === Infinity
    scroll.settle()
  }

  render() {
    const { chat, room, timeline, window, line, active } = this.#reader
    const here = (/** @type {{ room: string }} */ entry) => entry.room === room
    const list = rows({
      ...timeline.value,
      ...span(timeline.value.messages, window.value),
      line: line.value?.seq ?? null,
      me: chat.me.value?.user ?? null,
      outbox: chat.outbox.value.filter(here),
      failed: chat.failed.value.filter(here),
      day,
    })
    const before = this.#drawn
    this.#drawn = new Map()
    return html`<div class="lines">${list.map((row) => this.#node(row, before.get(row.key), active.value))}</div>`
  }

  get #reader() {
    return /** @type {{ reader: import('./reader.js').Reader }} */ (/** @type {unknown} */ (this.props)).reader
  }

  /** @param {Row} fresh @param {Row | undefined} old @param {number} active */
  #node(fresh, old, active) {
    const row = old && same(old, fresh) ? old : fresh
    this.#drawn.set(row.key, row)
    const isActive = row.kind === 'message' && row.message.m === active
    return html`<${VIEWS[row.kind]} key=${row.key} row=${row} reader=${this.#reader} active=${isActive} />`
  }
}
