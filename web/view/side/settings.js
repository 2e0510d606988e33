import { useChat } from '../../model/context.js'
import { ui } from '../../model/ui.js'
import { html } from '../html.js'
import { useAct } from './act.js'
import { Ask } from './ask.js'
import { Hooks } from './hooks.js'
import { Shape } from './shape.js'
import { sentences } from './sentences.js'

/** What the room is, and for its owners what can be made of it. @param {{ room: string }} props */
export default function Settings({ room }) {
  const chat = useChat()
  const say = sentences.value
  const { run, busy, problem } = useAct()
  const entry = chat.entry(room)
  const detail = chat.detail(room).value
  if (!entry || !detail) return html`<p class="hint">${say.loading}</p>`
  const isDirect = entry.kind === 'direct'
  const isLobby = room === 'lobby'
  const owns = entry.role === 'owner' && !isDirect
  const isLast = owns && detail.members.filter(({ role }) => role === 'owner').length === 1 && detail.members.length > 1
  const leave = async () => {
    await chat.api.remove(room, chat.me.value?.user ?? '')
    ui.pane.value = null
    chat.show('lobby')
  }
  return html`
    ${detail.archived && html`<p class="card">${say.isArchived}</p>`}
    ${owns && detail.archived && html`<button class="button" disabled=${busy} onClick=${() => run(() => chat.api.set(room, { archived: false }))}>${say.reopen}</button>`}
    ${problem}
    <${Shape} room=${room} entry=${entry} detail=${detail} owns=${owns && !detail.archived} />
    ${owns && !detail.archived && html`<${Hooks} room=${room} />`}
    ${!isLobby &&
    !isDirect &&
    html`
      <section class="last">
        ${owns && !detail.archived && html`<${Ask} label=${say.archive} question=${say.archiveAsk} act=${() => chat.api.set(room, { archived: true })} />`}
        <${Ask} label=${say.leave} question=${isLast ? say.leaveLast : say.leaveAsk} act=${leave} />
      </section>
    `}
  `
}
