import { useComputed } from '@preact/signals'
import { useChat } from '../../model/context.js'
import { ui } from '../../model/ui.js'
import { words } from '../../model/words.js'
import { html } from '../html.js'
import { Draft } from './draft.js'
import { Edit } from './edit.js'
import { Writing } from './writing.js'

/** Where messages are written: each room has a field of its own, so that none gets what was meant for another. */
export function Composer() {
  const chat = useChat()
  const room = chat.room.value
  const barred = useComputed(() => bar(chat)).value
  const muted = useComputed(() => chat.failed.value.some((entry) => entry.code === 'muted' && entry.room === chat.room.value)).value
  const editing = ui.editing.value
  return html`
    <section class="composer" aria-label=${words.value.composer.field}>
      <${Writing} key=${`writing ${room}`} room=${room} />
      ${muted && !barred && html`<p class="barred" role="status">${words.value.composer.muted}</p>`}
      ${barred
        ? html`<p class="barred">${words.value.composer[barred]}</p>`
        : editing?.room === room
          ? html`<${Edit} key=${`${room} ${editing.m}`} room=${room} m=${editing.m} />`
          : html`<${Draft} key=${room} room=${room} />`}
    </section>
  `
}

/** Why nothing can be said in the room in view. @param {import('../../model/chat.js').Chat} chat */
function bar(chat) {
  const room = chat.room.value
  const entry = chat.entry(room)
  if (chat.stopped.value) return 'stopped'
  if (chat.detail(room).value?.archived) return 'archived'
  return entry?.post === 'owners' && entry.role !== 'owner' ? 'owners' : null
}
