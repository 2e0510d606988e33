import { useEffect, useState } from 'preact/hooks'
import { choices } from '../../lib/choices.js'
import { useChat } from '../../model/context.js'
import { html } from '../html.js'
import { Icon } from '../icons.js'
import { KIND } from '../shell/room-link.js'
import { useAct } from '../side/act.js'
import { Filter } from './filter.js'
import { sentences } from './sentences.js'

/** @typedef {{ id: string, name: string, kind: 'public' | 'announcement', topic: string }} Joinable */

/** Rooms that one isn't in. @param {{ close(): void }} props */
export function JoinRoom({ close }) {
  const chat = useChat()
  const say = sentences.value
  const [rooms, setRooms] = useState(/** @type {Joinable[] | null} */ (null))
  const [query, setQuery] = useState('')
  const { run, busy, problem } = useAct()
  useEffect(() => void run(async () => setRooms((await chat.api.rooms()).others)), [])
  const join = (/** @type {string} */ room) =>
    run(async () => {
      await chat.api.admit(room, chat.me.value?.user ?? '')
      close()
      chat.show(room)
    })
  return html`
    ${problem}
    ${rooms?.length === 0 && html`<p class="hint">${say.noRooms}</p>`}
    ${rooms && html`
      <${Filter} of=${rooms} query=${query} change=${setQuery} />
      <ul class="rows find-rows">
        ${choices(query, rooms).found.map(({ id, name, kind, topic }) => html`
          <li key=${id}>
            <button class="row" disabled=${busy} onClick=${() => join(id)}>
              <${Icon} name=${KIND[kind]} />
              <span class="row-name">${name} ${topic && html`<span class="hint">${topic}</span>`}</span>
              <span class="hint">${say.join}</span>
            </button>
          </li>
        `)}
      </ul>
    `}
  `
}
