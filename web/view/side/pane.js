import { useEffect, useRef, useState } from 'preact/hooks'
import { useChat } from '../../model/context.js'
import { ui } from '../../model/ui.js'
import { words } from '../../model/words.js'
import { html } from '../html.js'
import { Icon } from '../icons.js'

/** Panes are loaded when they are first opened. Each module's default export is the pane; it is given the room. */
const LOAD = /** @type {Record<string, () => Promise<{ default: import('preact').ComponentType<any> }>>} */ ({
  members: () => import('./members.js'),
  pins: () => import('./pins.js'),
  search: () => import('../find/search.js'),
  settings: () => import('./settings.js'),
})

const close = () => void (ui.pane.value = null)

const keys = (/** @type {KeyboardEvent} */ event) => {
  if (event.key !== 'Escape' || event.isComposing || event.keyCode === 229) return
  event.stopPropagation()
  close()
}

/** What lies beside the conversation. The keyboard goes to it when it opens, and back to where it was. */
export function Pane() {
  const room = useChat().room.value
  const name = ui.pane.value
  const say = words.value.shell
  const [pane, setPane] = useState(/** @type {{ of?: string, view?: any }} */ ({}))
  const frame = useRef(/** @type {HTMLElement | null} */ (null))
  useEffect(() => {
    if (!name) return
    LOAD[name]?.().then((module) => setPane({ of: name, view: module.default }))
    const before = /** @type {HTMLElement | null} */ (document.activeElement)
    return () => void (document.activeElement === document.body && before?.focus())
  }, [name])
  // On a phone the conversation takes the pane's place.
  const isHidden = ui.narrow.value && ui.side.value !== 'pane'
  useEffect(() => void (isHidden && close()), [isHidden])
  const title = name === 'settings' ? say.roomSettings : name && say[name]
  const shown = name && pane.of === name
  const begun = useRef(name) // what was open already takes no focus
  useEffect(() => {
    if (!shown) return
    if (begun.current !== name && !frame.current?.contains(document.activeElement)) frame.current?.focus()
    begun.current = null
  }, [shown, name])
  return (
    shown &&
    html`
      <aside class="pane" aria-label=${title} tabindex="-1" ref=${frame} onKeyDown=${keys}>
        <header class="pane-head">
          <h2>${title}</h2>
          <button class="icon-button" aria-label=${say.close} onClick=${close}><${Icon} name="close" /></button>
        </header>
        <div class="pane-body"><${pane.view} key=${room} room=${room} /></div>
      </aside>
    `
  )
}
