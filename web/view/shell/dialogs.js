import { useEffect, useState } from 'preact/hooks'
import { ui } from '../../model/ui.js'
import { html } from '../html.js'

/** Dialogs are loaded when they are first opened. Each module's default export is the dialog's content. */
const LOAD = /** @type {Record<string, () => Promise<{ default: import('preact').ComponentType<any> }>>} */ ({
  date: () => import('../find/date.js'),
  'new-room': () => import('../find/new-room.js'),
  switcher: () => import('../find/switcher.js'),
  keys: () => import('./keys-dialog.js'),
  phone: () => import('./phone.js'),
  settings: () => import('./settings.js'),
})

/** The dialog that is open. */
export function Dialogs() {
  const name = ui.dialog.value
  const [Content, setContent] = useState(/** @type {{ of?: string, view?: any }} */ ({}))
  useEffect(() => {
    if (name) LOAD[name]?.().then((module) => setContent({ of: name, view: module.default }))
  }, [name])
  return name && Content.of === name ? html`<${Content.view} close=${() => (ui.dialog.value = null)} />` : null
}
