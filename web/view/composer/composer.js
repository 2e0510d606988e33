import { useRef } from 'preact/hooks'
import { useChat } from '../../model/context.js'
import { words } from '../../model/words.js'
import { html } from '../html.js'

/** Where messages are written. */
export function Composer() {
  const chat = useChat()
  const room = chat.room.value
  const say = words.value.composer
  const field = useRef(/** @type {HTMLTextAreaElement | null} */ (null))
  const send = () => {
    const text = field.current?.value.trim()
    if (!text || !field.current) return
    chat.say(room, text)
    field.current.value = ''
  }
  return html`
    <form class="composer" onSubmit=${(/** @type {Event} */ event) => (event.preventDefault(), send())}>
      <textarea
        ref=${field}
        rows="1"
        aria-label=${say.field}
        placeholder=${say.hint(chat.entry(room)?.name ?? room)}
        onKeyDown=${(/** @type {KeyboardEvent} */ event) => event.key === 'Enter' && !event.shiftKey && (event.preventDefault(), send())}
      ></textarea>
      <button>${say.send}</button>
    </form>
  `
}
