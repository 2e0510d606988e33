import { words } from '../../model/words.js'
import { html } from '../html.js'
import { Icon } from '../icons.js'

/** @param {{ message: import('../../types').Message, reader: import('./reader.js').Reader }} props */
export function Reactions({ message: { m, reactions }, reader: { chat, room }, reader }) {
  const say = words.value.log
  if (!reactions.length) return null
  return html`
    <p class="reactions">
      ${reactions.map(
        ({ emoji, count, mine, who }) => html`
          <button
            key=${emoji}
            aria-pressed=${mine}
            title=${say.who(who.map((user) => chat.nameOf(user)), count - who.length)}
            onClick=${() => chat.react(room, m, emoji)}
          >${emoji} <span>${count}</span></button>
        `,
      )}
      <button class="add" title=${say.react} aria-label=${say.react} onClick=${() => reader.open(m, 'emoji')}><${Icon} name="react" /></button>
    </p>
  `
}
