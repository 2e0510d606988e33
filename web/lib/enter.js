/**
 * What an Enter means while Hangul, Hanja or Japanese is being composed. One `Enter` per field; no DOM, no clock:
 * `handle` takes the events of the field as they come (`type`, `timeStamp` in ms, and what the type brings).
 *
 * The same Enter reaches a page in different orders: as keydown 229 and then `compositionend` (Windows), with a second
 * keydown 13 after it (Chrome on macOS), after `compositionend` (Safari), or with the key called "Process". To send on
 * keydown leaves the last syllable behind or sends it twice; to wait for a keydown outside of composition asks for a
 * second Enter. And an Enter that picks a candidate, 한 → 韓 or にほん → 日本, is no wish to send at all.
 */

const AFTER_END = 80 // ms: a 229 keydown this soon after a Hangul compositionend is the Enter that ended it
const ONE_PRESS = 500 // ms: a second Enter with no keyup in between is the same press, reported twice
const HANGUL_AT_END = /\p{Script=Hangul}$/u

export class Enter {
  #composing = false
  #composed = ''
  #armed = false
  #due = false
  #endedAt = -Infinity
  #pressedAt = -Infinity

  get composing() {
    return this.#composing
  }

  /**
   * - `send`: send what the field holds, now, and keep the key from the field
   * - `soon`: ask `due()` in a new task, when the field has settled, and send if it says so
   * - `flush`: that send comes now, ahead of the key, which is the next message's first
   * - `swallow`: keep the key from the field
   * - nothing: none of our business
   * @param {any} event of several types; the one asked says which
   * @returns {'send' | 'soon' | 'flush' | 'swallow' | undefined}
   */
  handle(event) {
    switch (event.type) {
      case 'compositionstart':
        this.#composing = true
        this.#composed = ''
        return
      case 'compositionupdate':
        this.#composed = event.data
        this.#armed &&= HANGUL_AT_END.test(event.data)
        return
      case 'compositionend':
        return this.#ended(event)
      case 'keydown':
        return isEnter(event) ? this.#enter(event) : this.#otherKey()
      case 'keyup':
        if (isEnter(event)) this.#pressedAt = -Infinity
        return
      case 'blur':
        this.#pressedAt = -Infinity
    }
  }

  /** Whether the send announced by `soon` is still to be done; true once. */
  due() {
    const due = this.#due
    this.#due = false
    return due
  }

  /** @param {CompositionEvent} event */
  #ended(event) {
    const hangul = HANGUL_AT_END.test(event.data)
    this.#due ||= this.#armed && hangul // else a candidate was picked
    this.#composing = this.#armed = false
    this.#endedAt = hangul ? event.timeStamp : -Infinity
    if (this.#due) return 'soon'
  }

  /** @param {KeyboardEvent} event */
  #enter(event) {
    if (event.shiftKey) return
    const again = event.repeat || event.timeStamp - this.#pressedAt < ONE_PRESS
    this.#pressedAt = event.timeStamp
    if (again) return 'swallow'
    if (this.#composing || event.isComposing) {
      this.#armed = HANGUL_AT_END.test(this.#composed)
      return event.keyCode === 229 ? undefined : 'swallow'
    }
    if (event.keyCode === 229 && event.timeStamp - this.#endedAt >= AFTER_END) return
    this.#due = false
    return 'send'
  }

  #otherKey() {
    this.#armed = false
    this.#pressedAt = -Infinity
    if (this.due()) return 'flush'
  }
}

/**
 * While an input method has the key, `key` may be "Process" and `keyCode` 229; `code` still names it.
 * @param {KeyboardEvent} event
 */
export function isEnter({ key, code }) {
  return key === 'Enter' || code === 'Enter' || code === 'NumpadEnter'
}
