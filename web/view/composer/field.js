import { signal, useComputed } from '@preact/signals'
import { useLayoutEffect, useRef, useState } from 'preact/hooks'
import { Enter, isEnter } from '../../lib/enter.js'
import { useChat } from '../../model/context.js'
import { ui } from '../../model/ui.js'
import { words } from '../../model/words.js'
import { html } from '../html.js'
import { List } from './list.js'
import { Suggestions } from './suggestions.js'
import { wrap } from './text.js'

const NEAR = 0.9 // of the longest text, from where on the rest is counted
const GROWS = CSS.supports('field-sizing', 'content')
const enter = new Enter() // one for all: the Enter that ends an edit is not the draft's as well
const MARKS = /** @type {Record<string, string>} */ ({ b: '**', ㅠ: '**', i: '*', ㅑ: '*' })

/**
 * A text under way: grows with it, and knows when Enter sends and whom an `@` calls. Keys change nothing that is
 * rendered; `field` is its element.
 * @param {{
 *   field: import('preact').RefObject<HTMLTextAreaElement>, room: string, id: string, label: string, about?: string, hint?: string, initial: string,
 *   send(): void, keyed?(event: KeyboardEvent): boolean, changed?(text: string): void
 * }} props `about` is the element that says what is answered; `keyed` says whether it took the key, which no input method has
 */
export function Field({ field, room, id, label, about, hint, initial, send, keyed, changed }) {
  const chat = useChat()
  const [list] = useState(() => new Suggestions(chat, room, `${id}-list`))
  const [length] = useState(() => signal(0))
  const isGone = useRef(false)
  const element = () => /** @type {HTMLTextAreaElement} */ (field.current)

  const look = () => {
    const { value } = element()
    const limit = chat.limits.peek().text_chars
    length.value = value.length > limit * NEAR ? [...value.trim()].length : 0
    if (!GROWS) fit(element())
    list.look(element())
  }
  const input = (/** @type {InputEvent} */ { data }) => {
    look()
    if (data === ':') list.named(element())
    changed?.(element().value)
  }
  const choose = (/** @type {number} */ n) => list.choose(element(), n, () => settle(element()))
  const act = () => (list.offers(element()) ? list.choose(element()) : send())
  const due = () => enter.due() && act()

  const heard = (/** @type {any} */ event) => {
    if (isGone.current) return // blurred by that: the key that did it is still down
    const isDown = event.type === 'keydown'
    if (isDown && isEnter(event) && !list.isOpen && !sends(event)) return
    const answer = enter.handle(event)
    if (answer === 'soon') setTimeout(due)
    if (answer === 'send' || answer === 'flush') act()
    if (answer === 'send' || answer === 'swallow') return event.preventDefault()
    if (event.type === 'blur') return list.close()
    const move = event.shiftKey ? undefined : list.key(event)
    if (move === 'choose') choose(list.active.peek())
    const isOurs = move || (isDown && !event.isComposing && event.keyCode !== 229 && (marked(event) || keyed?.(event)))
    if (isOurs) {
      event.preventDefault()
      event.stopPropagation()
    } else if (event.type === 'keyup' && list.asked.peek()) list.look(element())
  }
  const marked = (/** @type {KeyboardEvent} */ event) => {
    const mark = (event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey && MARKS[event.key.toLowerCase()]
    if (mark) wrap(element(), mark)
    return !!mark
  }

  useLayoutEffect(() => {
    element().value = initial
    look()
    // What is being composed, or about to be sent, belongs to this field, and to no other that comes in its place.
    return () => {
      settle(element())
      due()
      isGone.current = true
    }
  }, [])

  return html`
    <${List} of=${list} choose=${choose} />
    <textarea
      ref=${field}
      id=${id}
      rows="1"
      dir="auto"
      spellcheck=${true}
      autocapitalize="sentences"
      autocomplete="off"
      enterkeyhint=${ui.enterSends.value ? 'send' : 'enter'}
      aria-label=${label}
      aria-describedby=${about}
      aria-autocomplete="list"
      aria-controls=${list.shownId}
      aria-activedescendant=${list.activeId}
      placeholder=${hint}
      onInput=${input}
      onClick=${() => list.look(element())}
      oncompositionstart=${heard}
      oncompositionupdate=${heard}
      oncompositionend=${heard}
      onKeyDown=${heard}
      onKeyUp=${heard}
      onBlur=${heard}
    ></textarea>
    <${Rest} of=${length} />
    <${Aloud} of=${list} length=${length} />
  `
}

/** How much room is left, when little is. @param {{ of: import('@preact/signals').Signal<number> }} props */
function Rest({ of }) {
  const say = words.value.composer
  const rest = useChat().limits.value.text_chars - of.value
  return html`
    <p class="rest" aria-hidden="true" data-over=${rest < 0 || null}>${of.value > 0 && (rest < 0 ? say.over(-rest) : say.left(rest))}</p>
  `
}

/**
 * Says that there is something to choose, or too much written, once and not with each key.
 * @param {{ of: Suggestions, length: import('@preact/signals').Signal<number> }} props
 */
function Aloud({ of, length }) {
  const say = words.value.composer
  const limit = useChat().limits.value.text_chars
  const isOver = useComputed(() => length.value > limit).value
  const n = of.items.value.length
  return html`<p class="hidden-visually" role="status">${n > 0 ? say.found(n) : isOver && say.tooLong}</p>`
}

/** @param {KeyboardEvent} event */
const sends = (event) => event.ctrlKey || event.metaKey || (ui.enterSends.peek() && !event.shiftKey)

/** Ends a composition, so that no syllable stays with the input method. @param {HTMLTextAreaElement} field */
function settle(field) {
  if (!enter.composing) return
  field.blur()
  field.focus()
}

/** For browsers that don't size a field by its text. @param {HTMLTextAreaElement} field */
function fit(field) {
  field.style.height = 'auto'
  field.style.height = `${field.scrollHeight + field.offsetHeight - field.clientHeight}px`
}
