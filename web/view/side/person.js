import { useState } from 'preact/hooks'
import { useChat } from '../../model/context.js'
import { ui } from '../../model/ui.js'
import { html } from '../html.js'
import { useAct } from './act.js'
import { Ask } from './ask.js'
import { sentences } from './sentences.js'

/** @import { Detail, Member } from '../../types' */

/**
 * Somebody in a room, and what can be done about them.
 * @param {{ member: Member, room: string, detail: Detail, online: boolean }} props
 */
export function Person({ member, room, detail, online }) {
  const chat = useChat()
  const say = sentences.value
  const [open, setOpen] = useState(false)
  const { run, busy, problem } = useAct()
  const { user, name, role } = member
  const entry = chat.entry(room)
  const isMe = user === chat.me.value?.user
  const isFixed = entry?.kind === 'direct' || room === 'lobby' || detail.archived
  const mayRule = entry?.role === 'owner' && !isFixed
  const line = html`
    <span class=${online ? 'dot on' : 'dot'}></span>
    <span class="name">${name}${online && html`<span class="hidden-visually"> ${say.online}</span>`}</span>
    ${role === 'owner' && entry?.kind !== 'direct' && html`<span class="tag">${say.owner}</span>`}
    ${isMe && html`<span class="tag you">${say.you}</span>`}
  `
  if (isMe) return html`<li><div class="row">${line}</div></li>`

  const talk = () =>
    run(async () => {
      const { id } = await chat.api.create({ kind: 'direct', members: [user] })
      chat.show(id)
    })
  const mention = () => {
    ui.insert.value = `@${name} `
    ui.side.value = 'log'
  }
  const other = role === 'owner' ? 'member' : 'owner'
  return html`
    <li>
      <button class="row" aria-expanded=${open} onClick=${() => setOpen(!open)}>${line}</button>
      ${open &&
      html`
        <div class="deeds">
          ${(entry?.kind !== 'direct' || detail.members.length > 2) && html`<button class="button quiet" disabled=${busy} onClick=${talk}>${say.direct}</button>`}
          <button class="button quiet" onClick=${mention}>${say.mention}</button>
          ${mayRule &&
          html`
            <button class="button quiet" disabled=${busy} onClick=${() => run(() => chat.api.role(room, user, other))}>
              ${role === 'owner' ? say.makeMember : say.makeOwner}
            </button>
            <${Ask} label=${say.kick} question=${say.kickAsk(name)} act=${() => chat.api.remove(room, user)} />
          `}
          ${problem}
        </div>
      `}
    </li>
  `
}
