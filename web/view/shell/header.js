import { useChat } from '../../model/context.js'
import { html } from '../html.js'

export function Header() {
  const chat = useChat()
  const room = chat.room.value
  return html`
    <header class="room-head">
      <h1>${chat.entry(room)?.name ?? room}</h1>
      <p class="topic">${chat.detail(room).value?.topic}</p>
    </header>
  `
}
