import { excerpt } from '../../lib/excerpt.js'
import { useChat } from '../../model/context.js'
import { ui } from '../../model/ui.js'
import { html } from '../html.js'

/** A message that was found. @param {{ hit: import('../../model/search.js').Hit }} props */
export function HitLink({ hit: { room, m, at, name, text, marks } }) {
  const chat = useChat()
  const go = (/** @type {MouseEvent} */ event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return // another tab
    event.preventDefault()
    chat.show(room, m)
  }
  const date = new Date(at)
  const year = date.getFullYear() === new Date().getFullYear() ? undefined : 'numeric'
  const when = date.toLocaleString(ui.lang.value, { year, month: 'short', day: 'numeric', hour: 'numeric', minute: '2-digit' })
  return html`
    <li>
      <a class="hit" href=${`#/${room}/${m}`} onClick=${go}>
        <span class="hit-head"><b>${name}</b> <time datetime=${date.toISOString()}>${when}</time></span>
        <span class="hit-text">${excerpt(text, marks).map(({ text, marked }) => (marked ? html`<mark>${text}</mark>` : text))}</span>
      </a>
    </li>
  `
}
