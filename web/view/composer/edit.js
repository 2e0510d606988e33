import { useLayoutEffect, useRef, useState } from 'preact/hooks'
import { useChat } from '../../model/context.js'
import { ui } from '../../model/ui.js'
import { words } from '../../model/words.js'
import { html } from '../html.js'
import { Icon } from '../icons.js'
import { tidy } from './draft.js'
import { EmojiButton } from './emoji-button.js'
import { Field } from './field.js'
import { insert, keepFocus } from './text.js'

/** Edits that were left for another room, by message. */
const left = /** @type {Map<string, string>} */ (new Map())

/** A message of one's own, being changed in the draft's place. @param {{ room: string, m: number }} props */
export function Edit({ room, m }) {
  const chat = useChat()
  const say = words.value.composer
  const field = useRef(/** @type {HTMLTextAreaElement | null} */ (null))
  const element = () => /** @type {HTMLTextAreaElement} */ (field.current)
  const [was] = useState(() => chat.timeline(room).peek().messages.find((message) => message.m === m)?.text ?? null)
  const [initial] = useState(() => left.get(`${room} ${m}`) ?? was ?? '')
  const isOver = useRef(false)
  const [empty, setEmpty] = useState(false)

  const close = () => {
    isOver.current = true
    ui.editing.value = null
  }
  const save = () => {
    const text = tidy(element().value)
    if (!text) return setEmpty(true)
    if ([...text].length > chat.limits.peek().text_chars) return
    if (text !== was && !chat.edit(room, m, text)) return void (chat.complaint.value = say.full)
    close()
  }
  const keyed = (/** @type {KeyboardEvent} */ event) => event.key === 'Escape' && (close(), true)

  useLayoutEffect(() => {
    left.delete(`${room} ${m}`)
    if (was === null) return void close() // not here, or deleted
    element().focus()
    element().setSelectionRange(initial.length, initial.length)
    return () => {
      if (!isOver.current) left.set(`${room} ${m}`, element().value)
    }
  }, [])

  return html`
    <form class="box" data-editing onSubmit=${(/** @type {Event} */ event) => (event.preventDefault(), save())}>
      ${empty
        ? html`<${Erase} yes=${() => (chat.remove(room, m), close())} no=${() => (setEmpty(false), element().focus())} />`
        : html`
            <div class="context">
              <${Icon} name="edit" />
              <p><b>${say.editing}</b></p>
              <button type="button" class="icon-button" aria-label=${say.cancelEdit} title=${`${say.cancelEdit} (Esc)`} onClick=${close}>
                <${Icon} name="close" />
              </button>
            </div>
          `}
      <${Field}
        field=${field}
        room=${room}
        id="composer"
        label=${say.editing}
        initial=${initial}
        send=${save}
        keyed=${keyed}
        changed=${() => setEmpty(false)}
      />
      <div class="tools">
        <${EmojiButton} label=${say.emoji} onPick=${(/** @type {string} */ glyph) => insert(element(), glyph)} />
        <button class="send" onMouseDown=${keepFocus} aria-label=${say.save} title=${say.save}><${Icon} name="check" /></button>
      </div>
    </form>
  `
}

/** An emptied message is a deleted one, if that was meant. @param {{ yes(): void, no(): void }} props */
function Erase({ yes, no }) {
  const say = words.value.composer
  const button = useRef(/** @type {HTMLElement | null} */ (null))
  useLayoutEffect(() => button.current?.focus(), [])
  const key = (/** @type {KeyboardEvent} */ event) => event.key === 'Escape' && (event.stopPropagation(), event.preventDefault(), no())
  return html`
    <div class="context" role="alertdialog" aria-label=${say.erase} onKeyDown=${key}>
      <${Icon} name="trash" />
      <p><b>${say.erase}</b></p>
      <button type="button" class="button danger primary" ref=${button} onClick=${yes}>${say.yes}</button>
      <button type="button" class="button" onClick=${no}>${say.no}</button>
    </div>
  `
}
