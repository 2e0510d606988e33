import { useEffect, useState } from 'preact/hooks'
import { useChat } from '../../model/context.js'
import { ui } from '../../model/ui.js'
import { words } from '../../model/words.js'
import { html } from '../html.js'
import { Icon } from '../icons.js'

const LINE = 200 // characters that fit into one

/** Begins to answer a message of a room, or ends it. @param {string} room @param {number} [m] */
export function answer(room, m) {
  const { [room]: old, ...others } = ui.reply.peek()
  if (old !== m) ui.reply.value = m ? { ...others, [room]: m } : others
}

/** The message that is being answered. @param {{ room: string }} props */
export function Reply({ room }) {
  const m = ui.reply.value[room]
  return m ? html`<${Answered} key=${m} room=${room} m=${m} />` : null
}

/** @param {{ room: string, m: number }} props */
function Answered({ room, m }) {
  const chat = useChat()
  const say = words.value.composer
  const held = chat.timeline(room).value.messages.find((message) => message.m === m)
  const [fetched, setFetched] = useState(/** @type {{ name: string, text?: string | null } | null} */ (null))
  useEffect(() => {
    if (!held) chat.api.message(room, m).then(setFetched, ({ code }) => code === 'not_found' && answer(room))
  }, [])
  const { name, text } = held ?? fetched ?? { name: '', text: '' }
  return html`
    <div class="context">
      <${Icon} name="reply" />
      <p id="answered"><b>${name && say.replying(name)}</b> <span dir="auto">${text?.slice(0, LINE) ?? say.gone}</span></p>
      <button type="button" class="icon-button" aria-label=${say.cancelReply} title=${`${say.cancelReply} (Esc)`} onClick=${() => answer(room)}>
        <${Icon} name="close" />
      </button>
    </div>
  `
}
