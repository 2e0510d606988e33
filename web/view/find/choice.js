import { useEffect, useRef } from 'preact/hooks'
import { html } from '../html.js'
import { Icon } from '../icons.js'
import { KIND } from '../shell/room-link.js'
import { sentences } from './sentences.js'

/** @type {Record<string, string>} */
const ICON = { ...KIND, person: 'person', search: 'search', new: 'plus' }

/**
 * One row of the switcher.
 * @param {{ row: any, n: number, chosen: boolean, choose(n: number): void }} props
 */
export function Choice({ row, n, chosen, choose }) {
  const say = sentences.value
  const ref = useRef(/** @type {HTMLElement | null} */ (null))
  useEffect(() => {
    if (chosen) ref.current?.scrollIntoView({ block: 'nearest' })
  }, [chosen])
  const keepFocus = (/** @type {Event} */ event) => event.preventDefault()
  return html`
    <li ref=${ref} class="row" role="option" id=${`place-${n}`} aria-selected=${chosen} onPointerDown=${keepFocus} onClick=${() => choose(n)}>
      <${Icon} name=${ICON[row.type ?? row.kind]} />
      <span class="row-name">${row.kind === 'search' ? say.searchFor(row.name) : row.kind === 'new' ? say.makeRoom(row.name) : row.name}</span>
      ${row.online && html`<span class="dot on" title=${say.online}></span>`}
      ${row.kind === 'join' && html`<span class="hint">${say.join}</span>`}
      ${row.unread > 0 && html`<span class="badge">${row.unread}</span>`}
    </li>
  `
}
