import { useEffect, useRef } from 'preact/hooks'
import { useChat } from '../../model/context.js'
import { words } from '../../model/words.js'
import { html } from '../html.js'

/** The conversation of the room in view. */
export function Log() {
  const chat = useChat()
  const room = chat.room.value
  const timeline = chat.timeline(room).value
  const box = useRef(/** @type {HTMLElement | null} */ (null))
  const say = words.value.log
  useEffect(() => {
    if (box.current) box.current.scrollTop = box.current.scrollHeight
    chat.read(room, timeline.last)
  }, [timeline])
  return html`
    <div class="log" role="log" aria-live="off" aria-label=${say.log} tabindex="0" ref=${box}>
      ${timeline.messages.map(
        (message) => html`<article key=${message.m}><b>${message.name}</b> <p>${message.text ?? say.deleted}</p></article>`,
      )}
      ${chat.outbox.value.map((entry) => entry.room === room && entry.send && html`<article class="pending"><p>${entry.send.text}</p></article>`)}
    </div>
  `
}
