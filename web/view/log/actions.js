import { useEffect, useRef, useState } from 'preact/hooks'
import { words } from '../../model/words.js'
import { html } from '../html.js'
import { Icon } from '../icons.js'
import { allowed, edit, reply } from './allowed.js'
import { Menu } from './menu.js'

/** @import { Message } from '../../types' */
/** @import { Reader } from './reader.js' */

/** What can be done with the message that is pointed at. @param {{ message: Message, reader: Reader }} props */
export function Actions({ message, reader }) {
  const say = words.value.log
  const { isMine, maySay } = allowed(message, reader)
  const box = useRef(/** @type {HTMLElement | null} */ (null))
  const open = reader.menu.value
  useEffect(() => () => void (reader.menu.value = ''), [])
  const button = (/** @type {string} */ icon, /** @type {string} */ label, /** @type {() => void} */ run, isOpen = false) => html`
    <button class="icon-button" title=${label} aria-label=${label} aria-expanded=${isOpen || null} onClick=${run}><${Icon} name=${icon} /></button>
  `
  return html`
    <div class="actions" role="toolbar" aria-label=${say.actions} ref=${box}>
      ${maySay && button('react', say.react, () => (reader.menu.value = 'emoji'), open === 'emoji')}
      ${maySay && button('reply', say.reply, () => reply(message, reader))}
      ${isMine && button('edit', say.edit, () => edit(message, reader))}
      ${button('more', say.more_actions, () => (reader.menu.value = 'open'), open === 'open')}
      ${(open === 'open' || open === 'sure') && html`<${Menu} message=${message} reader=${reader} anchor=${box.current} />`}
      ${open === 'emoji' && html`<${Emoji} message=${message} reader=${reader} anchor=${box.current} />`}
    </div>
  `
}

/** The picker, which is fetched when it is first needed. @param {{ message: Message, reader: Reader, anchor: Element }} props */
function Emoji({ message: { m }, reader: { chat, room, menu }, anchor }) {
  const [Picker, setPicker] = useState(/** @type {{ view?: any }} */ ({}))
  useEffect(() => void import('../composer/picker.js').then((module) => setPicker({ view: module.default })), [])
  const pick = (/** @type {string} */ emoji) => chat.react(room, m, emoji)
  return Picker.view && html`<${Picker.view} onPick=${pick} close=${() => (menu.value = '')} anchor=${anchor} />`
}
