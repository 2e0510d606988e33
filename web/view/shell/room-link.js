import { useEffect } from 'preact/hooks'
import { useChat } from '../../model/context.js'
import { watch } from '../../model/watching.js'
import { words } from '../../model/words.js'
import { html } from '../html.js'
import { Icon } from '../icons.js'

export const KIND = /** @type {const} */ ({ public: 'hash', private: 'lock', announcement: 'megaphone', direct: 'person' })
const few = (/** @type {number} */ n) => (n > 99 ? '99+' : n)

/** The dot of a direct message: whether one of the others is there. @param {{ room: string }} props */
function Presence({ room }) {
  const chat = useChat()
  const others = chat.detail(room).value?.members.filter(({ user }) => user !== chat.me.value?.user) ?? []
  const users = String(others.map(({ user }) => user))
  useEffect(() => {
    const view = {}
    watch(chat, view, users ? users.split(',') : [])
    return () => watch(chat, view, [])
  }, [users])
  const on = others.some(({ user }) => chat.online.value.has(user))
  return html`<span class=${`dot ${on ? 'on' : ''}`}>${on && html`<span class="hidden-visually">${words.value.shell.online}</span>`}</span>`
}

/** One room of the list. @param {{ room: import('../../types').RoomEntry }} props */
export function RoomLink({ room }) {
  const chat = useChat()
  const say = words.value.shell
  const unread = Math.max(0, room.n - room.readn)
  const current = room.id === chat.room.value
  const go = (/** @type {MouseEvent} */ event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return // another tab
    event.preventDefault()
    chat.show(room.id)
  }
  const loud = room.kind === 'direct' ? unread : room.mentions
  return html`
    <a class=${`row room ${unread ? 'unread' : ''}`} href=${`#/${room.id}`} aria-current=${current ? 'page' : null} onClick=${go}>
      ${room.kind === 'direct' ? html`<${Presence} room=${room.id} />` : html`<${Icon} name=${KIND[room.kind]} />`}
      <span class="name">${room.name ?? room.id}</span>
      ${room.kind !== 'public' && html`<span class="hidden-visually">, ${say.kinds[room.kind]}</span>`}
      ${unread > 0 && !loud && html`<span class="count" aria-hidden="true">${few(unread)}</span>`}
      ${loud > 0 && html`<span class="badge" aria-hidden="true">${room.kind === 'direct' ? '' : '@'}${few(loud)}</span>`}
      ${unread > 0 && html`<span class="hidden-visually">, ${say.unread(unread)}</span>`}
      ${room.mentions > 0 && html`<span class="hidden-visually">, ${say.mentions(room.mentions)}</span>`}
    </a>
  `
}
