import { useEffect, useState } from 'preact/hooks'
import { useChat } from '../../model/context.js'
import { ui } from '../../model/ui.js'
import { watch } from '../../model/watching.js'
import { html } from '../html.js'
import { Icon } from '../icons.js'
import { Invite } from './invite.js'
import { People, ordered } from './people.js'
import { Person } from './person.js'
import { sentences } from './sentences.js'

const WATCHED_MAX = 200 // as many as the server tells of

/** Who is in the room. @param {{ room: string }} props */
export default function Members({ room }) {
  const chat = useChat()
  const say = sentences.value
  const [invites, setInvites] = useState(false)
  const entry = chat.entry(room)
  const detail = chat.detail(room).value
  const members = detail?.members ?? []
  // Of a crowd nobody needs to know who comes and goes.
  const isCrowd = members.length > WATCHED_MAX
  const watched = isCrowd ? '' : members.map(({ user }) => user).sort().join()
  useEffect(() => {
    watch(chat, Members, watched ? watched.split(',') : [])
    return () => watch(chat, Members, [])
  }, [watched])
  if (!detail || !entry) return html`<p class="hint">${say.loading}</p>`

  const online = chat.online.value
  const here = isCrowd ? [] : ordered(members.filter(({ user }) => online.has(user)))
  const away = ordered(here.length ? members.filter(({ user }) => !online.has(user)) : members)
  const mayInvite = !detail.archived && entry.kind !== 'direct' && room !== 'lobby' && (entry.kind !== 'announcement' || entry.role === 'owner')
  const count = (/** @type {number} */ n) => say.people(n.toLocaleString(ui.lang.value))
  const groups = [
    { name: say.online, people: here },
    { name: here.length ? say.others : '', people: away },
  ]
  return html`
    ${mayInvite &&
    html`<button class="button" aria-expanded=${invites} onClick=${() => setInvites(!invites)}><${Icon} name="plus" />${say.invite}</button>`}
    ${invites && mayInvite && html`<${Invite} room=${room} members=${members} />`}
    <${People} groups=${groups} count=${count} row=${(/** @type {import('../../types').Member} */ member) => html`
      <${Person} key=${member.user} member=${member} room=${room} detail=${detail} online=${online.has(member.user)} />
    `} />
  `
}
