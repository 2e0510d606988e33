import { useState } from 'preact/hooks'
import { useChat } from '../../model/context.js'
import { ui } from '../../model/ui.js'
import { html } from '../html.js'
import { useAct } from './act.js'
import { People, ordered } from './people.js'
import { sentences } from './sentences.js'

/** @import { Member } from '../../types' */

/** Those of the lobby who could come too. @param {{ room: string, members: Member[] }} props */
export function Invite({ room, members }) {
  const chat = useChat()
  const say = sentences.value
  const { run, problem } = useAct()
  const [asked, setAsked] = useState(/** @type {string[]} */ ([]))
  const lobby = chat.detail('lobby').value
  if (!lobby) return html`<p class="hint">${say.loading}</p>`
  const inside = new Set(members.map(({ user }) => user))
  const people = ordered(lobby.members.filter(({ user }) => !inside.has(user) || asked.includes(user)))
  const invite = async (/** @type {string} */ user) => (await run(() => chat.api.admit(room, user))) && setAsked((asked) => [...asked, user])
  const row = (/** @type {Member} */ { user, name }) => html`
    <li key=${user} class="row">
      <span class="name">${name}</span>
      ${asked.includes(user)
        ? html`<span class="tag" role="status">${say.invited}</span>`
        : html`<button class="button quiet" aria-label=${`${name}: ${say.inviteOne}`} onClick=${() => invite(user)}>${say.inviteOne}</button>`}
    </li>
  `
  return html`
    <section class="card">
      ${people.length
        ? html`<${People} groups=${[{ name: say.fromLobby, people }]} count=${(/** @type {number} */ n) => say.people(n.toLocaleString(ui.lang.value))} row=${row} />`
        : html`<p class="hint">${say.everybodyHere}</p>`}
      ${problem}
    </section>
  `
}
