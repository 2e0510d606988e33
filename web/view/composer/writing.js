import { useChat } from '../../model/context.js'
import { ui } from '../../model/ui.js'
import { words } from '../../model/words.js'
import { html } from '../html.js'
import { isMac } from '../shell/keys.js'

/** Who is writing in a room, and, while nobody is, what the keys do. Not read aloud: it would never be silent. */
export function Writing({ room = '' }) {
  const chat = useChat()
  const say = words.value.composer
  const names = chat
    .typing(room)
    .value.filter((user) => user !== chat.me.value?.user)
    .map((user) => [user, chat.nameOf(user)])
  const known = names.filter(([user, name]) => user !== name).map(([, name]) => name)
  return html`
    <p class="writing" aria-hidden="true">
      ${names.length
        ? html`<span class="dots"><i></i><i></i><i></i></span><span>${known.length === names.length ? say.writing(known) : say.somebody}</span>`
        : html`<span class="usage">${ui.enterSends.value ? say.keys : say.keysSwapped(isMac ? '⌘' : 'Ctrl+')}</span>`}
    </p>
  `
}
