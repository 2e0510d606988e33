import { useChat } from '../../model/context.js'
import { html } from '../html.js'
import { Text } from '../log/text.js'
import { sentences } from './sentences.js'

/** @param {{ pin: import('../../types').Message, room: string, at: Intl.DateTimeFormat }} props */
export function Pin({ pin, room, at }) {
  const chat = useChat()
  const say = sentences.value
  const entry = chat.entry(room)
  const mayUnpin = entry?.post !== 'owners' || entry.role === 'owner'
  return html`
    <li class="card">
      <p><b>${pin.name}</b> <time datetime=${new Date(pin.at).toISOString()}>${at.format(pin.at)}</time></p>
      <${Text} text=${pin.text} mentions=${pin.mentions ?? []} chat=${chat} />
      <div class="deeds">
        <button class="button quiet" onClick=${() => chat.show(room, pin.m)}>${say.jump}</button>
        ${mayUnpin && html`<button class="button quiet" onClick=${() => chat.pin(room, pin.m, false)}>${say.unpin}</button>`}
      </div>
    </li>
  `
}
