import { useRef } from 'preact/hooks'
import { useChat } from '../../model/context.js'
import { ui } from '../../model/ui.js'
import { words } from '../../model/words.js'
import { html } from '../html.js'
import { Icon } from '../icons.js'
import { caps } from './keys.js'
import { Me } from './me.js'
import { RoomLink } from './room-link.js'

/** The rooms of the user's list, the way to all others, and who one is. */
export function Sidebar() {
  const chat = useChat()
  const say = words.value.shell
  const hold = useRef(/** @type {string[] | null} */ (null)) // the order while somebody is about to press something
  let list = chat.list.value
  if (hold.current) {
    const place = (/** @type {{ id: string }} */ { id }) => hold.current?.indexOf(id) ?? 0
    list = [...list].sort((a, b) => (place(a) + 1 || Infinity) - (place(b) + 1 || Infinity) || 0)
  }
  const enter = () => (hold.current = chat.list.peek().map(({ id }) => id))
  const leave = () => {
    hold.current = null
    chat.rooms.value = [...chat.rooms.peek()]
  }
  const parts = [
    { title: say.rooms, rooms: list.filter(({ kind }) => kind !== 'direct') },
    { title: say.direct, rooms: list.filter(({ kind }) => kind === 'direct') },
  ]
  return html`
    <nav class="sidebar" aria-label=${say.rooms}>
      <button class="go" aria-keyshortcuts="Control+K Meta+K" onClick=${() => (ui.dialog.value = 'switcher')}>
        <${Icon} name="search" /><span>${say.find}</span><kbd>${caps('Mod+K').join(' ')}</kbd>
      </button>
      <div class="room-list" onPointerEnter=${enter} onPointerLeave=${leave}>
        ${parts.map(
          ({ title, rooms }, i) =>
            (rooms.length > 0 || i === 0) &&
            html`
              <div class="part">
                <h2>${title}</h2>
                ${
                  i === 0 &&
                  html`<button class="icon-button" aria-label=${say.newRoom} title=${say.newRoom} onClick=${() => (ui.dialog.value = 'new-room')}>
                    <${Icon} name="plus" />
                  </button>`
                }
              </div>
              <ul class="rows">
                ${rooms.map((room) => html`<li key=${room.id}><${RoomLink} room=${room} /></li>`)}
              </ul>
            `,
        )}
      </div>
      <${Me} />
    </nav>
  `
}
