import { useSignalEffect } from '@preact/signals'
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks'
import { useChat } from '../../model/context.js'
import { ui } from '../../model/ui.js'
import { words } from '../../model/words.js'
import { html } from '../html.js'
import { Icon } from '../icons.js'
import { drafts } from './drafts.js'
import { EmojiButton } from './emoji-button.js'
import { Field } from './field.js'
import { Reply, answer } from './reply.js'
import { insert, keepFocus } from './text.js'

const WRITES = 3000 // ms between two words to the others that somebody is writing

/** What is being written in a room. @param {{ room: string }} props */
export function Draft({ room }) {
  const chat = useChat()
  const say = words.value.composer
  const field = useRef(/** @type {HTMLTextAreaElement | null} */ (null))
  const wrote = useRef(-WRITES)
  const element = () => /** @type {HTMLTextAreaElement} */ (field.current)
  const draft = () => ({ text: element().value, reply: ui.reply.peek()[room] })
  const set = (/** @type {string} */ text) => {
    element().value = text
    element().dispatchEvent(new Event('input'))
  }

  const changed = (/** @type {string} */ text) => {
    drafts.later(room, draft())
    const now = performance.now()
    if (!text.trim() || now - wrote.current < WRITES) return
    wrote.current = now
    chat.write(room)
  }
  const send = () => {
    const text = tidy(element().value)
    if (!text || [...text].length > chat.limits.peek().text_chars) return
    if (!chat.say(room, text, ui.reply.peek()[room])) return void (chat.complaint.value = say.full)
    wrote.current = -WRITES
    set('')
    answer(room)
    drafts.write(room, { text: '' })
  }
  const keyed = (/** @type {KeyboardEvent} */ event) => {
    if (event.key === 'ArrowUp' && !element().value && !event.altKey) return editLast(chat, room)
    if (event.key !== 'Escape' || !ui.reply.peek()[room]) return false
    answer(room)
    return true
  }

  useLayoutEffect(() => {
    const { reply } = drafts.read(room)
    if (reply && !ui.reply.peek()[room]) answer(room, reply)
    // A keyboard that covers half the screen comes only when it is called.
    if (matchMedia('(pointer: fine)').matches && !ui.dialog.peek()) element().focus()
    const stop = drafts.watch(room, () => {
      if (document.hasFocus()) return
      const there = drafts.read(room)
      answer(room, there.reply)
      if (there.text !== element().value) set(there.text)
      drafts.write(room, there) // and nothing that was waiting here
    })
    return () => {
      stop()
      drafts.write(room, draft())
    }
  }, [])
  useReply(room, () => {
    element().focus()
    drafts.later(room, draft())
  })
  useSignalEffect(() => {
    const text = ui.insert.value
    if (!text) return
    ui.insert.value = ''
    insert(element(), text)
  })

  const { name = room, kind } = chat.entry(room) ?? {}
  return html`
    <form class="box" onSubmit=${(/** @type {Event} */ event) => (event.preventDefault(), element().focus(), send())}>
      <${Reply} room=${room} />
      <${Field}
        field=${field}
        room=${room}
        id="composer"
        label=${say.field}
        about=${ui.reply.value[room] ? 'answered' : undefined}
        hint=${kind === 'direct' ? say.hintDirect(name) : say.hint(name)}
        initial=${drafts.read(room).text}
        send=${send}
        keyed=${keyed}
        changed=${changed}
      />
      <div class="tools">
        <${EmojiButton} label=${say.emoji} onPick=${(/** @type {string} */ glyph) => insert(element(), glyph)} />
        <button class="send" onMouseDown=${keepFocus} aria-label=${say.send} title=${say.send}><${Icon} name="send" /></button>
      </div>
    </form>
  `
}

/** Calls when an answer is begun in a room. @param {string} room @param {() => void} then */
function useReply(room, then) {
  const m = ui.reply.value[room]
  const before = useRef(m)
  useEffect(() => {
    if (before.current !== m) then()
    before.current = m
  }, [m])
}

/** @param {import('../../model/chat.js').Chat} chat @param {string} room */
function editLast(chat, room) {
  const me = chat.me.peek()?.user
  const last = chat.timeline(room).peek().messages.findLast(({ by, text }) => by === me && text !== null)
  if (last) ui.editing.value = { room, m: last.m }
  return !!last
}

/** A text as it is sent: composed, without what stands empty around it. @param {string} text */
export const tidy = (text) => text.normalize('NFC').replace(/^(\s*\n)+|\s+$/g, '')
