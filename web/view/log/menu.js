import { useLayoutEffect, useRef } from 'preact/hooks'
import { QUICK } from '../../lib/emoji.js'
import { words } from '../../model/words.js'
import { place } from '../composer/place.js'
import { recent } from '../composer/recent.js'
import { copy } from '../copy.js'
import { html } from '../html.js'
import { Icon } from '../icons.js'
import { allowed } from './allowed.js'

const GLYPHS = 6
const STEPS = /** @type {Record<string, number>} */ ({ ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 })

/** The rest of what can be done. @param {{ message: import('../../types').Message, reader: import('./reader.js').Reader, anchor: Element }} props */
export function Menu({ message: { m, pinned, text }, message, reader: { chat, room, menu }, reader, anchor }) {
  const say = words.value.log
  const { mayRemove, maySay } = allowed(message, reader)
  const box = useRef(/** @type {HTMLElement | null} */ (null))
  useLayoutEffect(() => {
    box.current?.showPopover()
    if (box.current) place(box.current, anchor)
    const first = /** @type {HTMLElement | null} */ (box.current?.querySelector(menu.peek() === 'sure' ? '.danger' : 'button'))
    first?.focus()
  }, [])
  const act = (/** @type {() => void} */ run) => () => {
    box.current?.hidePopover()
    run()
  }
  const take = (/** @type {string} */ what) => copy(what).then(() => (reader.said.value = say.copied))
  const item = (/** @type {string} */ icon, /** @type {string} */ label, /** @type {() => void} */ run, danger = false) =>
    html`<button class=${danger ? 'danger' : ''} onClick=${run}><${Icon} name=${icon} />${label}</button>`
  const keyed = (/** @type {KeyboardEvent} */ event) => {
    event.stopPropagation()
    const buttons = [...(box.current?.querySelectorAll('button') ?? [])]
    const at = buttons.indexOf(/** @type {HTMLButtonElement} */ (event.target)) + (STEPS[event.key] ?? 0)
    if (STEPS[event.key]) (event.preventDefault(), buttons.at(at % buttons.length)?.focus())
  }
  const glyphs = [...new Set([...recent.value, ...QUICK])].slice(0, GLYPHS)
  const isSure = menu.value === 'sure'
  return html`
    <div
      class="menu popover"
      popover="auto"
      role="group"
      aria-label=${say.actions}
      ref=${box}
      onKeyDown=${keyed}
      onToggle=${(/** @type {ToggleEvent} */ event) => event.newState === 'closed' && (menu.value = '')}
    >
      ${maySay && html`<p>${glyphs.map((emoji) => html`<button onClick=${act(() => chat.react(room, m, emoji))}>${emoji}</button>`)}</p>`}
      ${maySay && item('pin', pinned ? say.unpin : say.pin, act(() => chat.pin(room, m, !pinned)))}
      ${item('copy', say.copy, act(() => take(text ?? '')))}
      ${item('link', say.link, act(() => take(`${location.origin}/#/${room}/${m}`)))}
      ${mayRemove && item('trash', isSure ? say.sure : say.remove, isSure ? act(() => chat.remove(room, m)) : () => (menu.value = 'sure'), true)}
    </div>
  `
}
