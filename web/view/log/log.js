import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks'
import { useChat } from '../../model/context.js'
import { ui } from '../../model/ui.js'
import { words } from '../../model/words.js'
import { html } from '../html.js'
import { Jumps } from './jumps.js'
import { onKey } from './keys.js'
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
  useEffect(() => {
    const key = (/** @type {KeyboardEvent} */ event) => {
      if (event.key !== 'Escape' || event.defaultPrevented || event.isComposing || event.keyCode === 229) return
      if (reader.menu.peek()) reader.menu.value = ''
      else if (!ui.dialog.peek() && !ui.pane.peek()) reader.readAll()
    }
    addEventListener('keydown', key)
    return () => removeEventListener('keydown', key)
  }, [])
  const row = (/** @type {Event} */ { target }) => /** @type {Element} */ (target).closest('article')
  return html`
    <section class="log-frame">
      <div
        class="log"
        role="log"
        aria-live="off"
        aria-label=${words.value.log.log}
        ref=${box}
        onPointerOver=${(/** @type {Event} */ event) => reader.point(Number(row(event)?.dataset.m ?? 0))}
        onPointerLeave=${() => reader.point(0)}
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
