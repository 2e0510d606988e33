import { useEffect, useState } from 'preact/hooks'
import { ui } from '../../model/ui.js'
import { words } from '../../model/words.js'
import { copy } from '../copy.js'
import { html } from '../html.js'
import { Icon } from '../icons.js'

/** @import { Message } from '../../types' */
/** @import { Reader } from './reader.js' */

const QUICK = ['👍', '❤️', '😂', '🎉', '👀', '✅']

/** What may be done with a message by who reads it. @param {Message} message @param {Reader} reader */
export function allowed({ by }, { chat, entry }) {
  const isMine = by === chat.me.peek()?.user
  const isOwner = entry?.role === 'owner'
  return { isMine, mayRemove: isMine || isOwner, maySay: isOwner || entry?.post !== 'owners' }
}

/** @param {Message} message @param {Reader} reader */
export const reply = ({ m }, { room }) => (ui.reply.value = { ...ui.reply.value, [room]: m })

/** @param {Message} message @param {Reader} reader */
export const edit = ({ m }, { room }) => (ui.editing.value = { room, m })

/** A menu opens upwards where there is no room below. @param {HTMLElement | null} menu */
function fit(menu) {
  const [box, end] = [menu?.closest('.log'), menu?.parentElement?.getBoundingClientRect().bottom ?? 0]
  if (menu && box) menu.classList.toggle('up', end + menu.offsetHeight > box.getBoundingClientRect().bottom)
}

/** What can be done with the message that is pointed at. @param {{ message: Message, reader: Reader }} props */
export function Actions({ message, reader }) {
  const say = words.value.log
  const { m } = message
  const { chat, room } = reader
  const { isMine, mayRemove, maySay } = allowed(message, reader)
  const isOpen = reader.menu.value !== ''
  const act = (/** @type {() => void} */ run) => () => {
    reader.menu.value = ''
    run()
  }
  const button = (/** @type {string} */ icon, /** @type {string} */ label, /** @type {() => void} */ run) =>
    html`<button class="icon-button" title=${label} aria-label=${label} onClick=${run}><${Icon} name=${icon} /></button>`
  const item = (/** @type {string} */ icon, /** @type {string} */ label, /** @type {() => void} */ run, danger = false) =>
    html`<button class=${danger ? 'danger' : ''} onClick=${run}><${Icon} name=${icon} />${label}</button>`
  return html`
    <div class="actions" role="toolbar" aria-label=${say.actions}>
      ${maySay && button('reply', say.reply, act(() => reply(message, reader)))}
      ${isMine && button('edit', say.edit, act(() => edit(message, reader)))}
      ${button('more', say.more_actions, () => (reader.menu.value = isOpen ? '' : 'open'))}
      ${
        isOpen &&
        html`
          <div class="menu popover" ref=${fit}>
            <p>${QUICK.map((emoji) => html`<button onClick=${act(() => chat.react(room, m, emoji))}>${emoji}</button>`)}</p>
            ${item('pin', message.pinned ? say.unpin : say.pin, act(() => chat.pin(room, m, !message.pinned)))}
            ${item('copy', say.copy, act(() => copy(message.text ?? '')))}
            ${item('link', say.link, act(() => copy(`${location.origin}/#/${room}/${m}`)))}
            ${
              mayRemove &&
              (reader.menu.value === 'sure'
                ? item('trash', say.sure, act(() => chat.remove(room, m)), true)
                : item('trash', say.remove, () => (reader.menu.value = 'sure'), true))
            }
          </div>
        `
      }
    </div>
  `
}
