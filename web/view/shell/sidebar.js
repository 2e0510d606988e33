import { useChat } from '../../model/context.js'
import { words } from '../../model/words.js'
import { html } from '../html.js'

/** The rooms of the user's list. */
export function Sidebar() {
  const chat = useChat()
  const say = words.value.shell
  return html`
    <nav class="sidebar" aria-label=${say.rooms}>
      <ul>
        ${chat.list.value.map(
          (room) => html`
            <li key=${room.id}>
              <a href=${`#/${room.id}`} aria-current=${room.id === chat.room.value ? 'page' : null}>
                ${room.name} ${room.n > room.readn && html`<b>${room.n - room.readn}</b>`}
              </a>
            </li>
          `,
        )}
      </ul>
      <p class="me">${chat.me.value?.name}</p>
    </nav>
  `
}
