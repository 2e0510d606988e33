import { useEffect, useState } from 'preact/hooks'
import { ui } from '../../model/ui.js'
import { html } from '../html.js'

/** Panes are loaded when they are first opened. Each module's default export is the pane. */
const LOAD = /** @type {Record<string, () => Promise<{ default: import('preact').ComponentType<any> }>>} */ ({})

/** What lies beside the conversation. */
export function Pane() {
  const name = ui.pane.value
  const [pane, setPane] = useState(/** @type {{ of?: string, view?: any }} */ ({}))
  useEffect(() => {
    if (name) LOAD[name]?.().then((module) => setPane({ of: name, view: module.default }))
  }, [name])
  return name && pane.of === name ? html`<aside class="pane"><${pane.view} /></aside>` : null
}
