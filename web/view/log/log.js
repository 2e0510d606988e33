import { useLayoutEffect, useRef, useState } from 'preact/hooks'
import { useChat } from '../../model/context.js'
import { words } from '../../model/words.js'
import { html } from '../html.js'
import { Jumps } from './jumps.js'
import { onKey, toComposer } from './keys.js'
import { Reader } from './reader.js'
import { Rows } from './rows.js'
import { Scroll } from './scroll.js'

/** The conversation of the room in view. */
export function Log() {
  const room = useChat().room.value
  return html`<${Conversation} key=${room} room=${room} />`
}

/** @param {{ room: string }} props */
function Conversation({ room }) {
  const chat = useChat()
  const [reader] = useState(() => new Reader(chat, room))
  const box = useRef(/** @type {HTMLElement | null} */ (null))
  useLayoutEffect(() => {
    if (!box.current) return
    return reader.start(new Scroll(box.current, /** @type {HTMLElement} */ (box.current.firstElementChild), (...far) => reader.scrolled(...far)))
  }, [])
  const row = (/** @type {Event} */ { target }) => /** @type {Element} */ (target).closest('article')
  const point = (/** @type {Event} */ event) => reader.point(Number(row(event)?.dataset.m ?? 0))
  // Who clicks goes on writing; who presses keys on a message, or has marked some of it, doesn't.
  const click = (/** @type {MouseEvent} */ event) => {
    point(event)
    const isIdle = event.detail && row(event) === document.activeElement && getSelection()?.isCollapsed
    if (isIdle && matchMedia('(pointer: fine)').matches) toComposer()
  }
  return html`
    <section class="log-frame">
      <div
        class="log"
        role="log"
        aria-live="off"
        aria-label=${words.value.log.log}
        ref=${box}
        onPointerOver=${(/** @type {PointerEvent} */ event) => event.pointerType === 'mouse' && point(event)}
        onPointerLeave=${(/** @type {PointerEvent} */ event) => event.pointerType === 'mouse' && reader.point(0)}
        onClick=${click}
        onWheel=${(/** @type {Event} */ { target }) => !(/** @type {Element} */ (target).closest('[popover]')) && (reader.menu.value = '')}
        onFocusIn=${(/** @type {Event} */ event) => reader.focus(row(event))}
        onKeyDown=${(/** @type {KeyboardEvent} */ event) => onKey(event, reader)}
      >
        <${Rows} reader=${reader} />
      </div>
      <${Jumps} reader=${reader} />
      <p class="hidden-visually" aria-live="polite">${reader.said}</p>
    </section>
  `
}
