import { useRef, useState } from 'preact/hooks'
import { useChat } from '../../model/context.js'
import { html } from '../html.js'
import { Dialog } from '../shell/dialog.js'
import { useAct } from '../side/act.js'
import { sentences } from './sentences.js'

/** A day of this place, as `<input type=date>` has it. @param {Date} date */
const local = (date) => new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 10)

/** Goes to the first message of a day. @param {{ close(): void }} props */
export default function JumpToDate({ close }) {
  const chat = useChat()
  const say = sentences.value
  const field = useRef(/** @type {HTMLInputElement | null} */ (null))
  const [empty, setEmpty] = useState(false)
  const { run, busy, problem } = useAct()
  const room = chat.room.value
  const today = new Date()
  const before = (/** @type {number} */ days, months = 0) =>
    new Date(today.getFullYear(), today.getMonth() - months, today.getDate() - days).getTime()

  const go = (/** @type {number} */ at) =>
    run(async () => {
      const [message] = (await chat.api.since(room, at)).messages
      if (!message) return setEmpty(true)
      close()
      chat.show(room, message.m)
    })
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault()
    const [year, month, day] = (field.current?.value ?? '').split('-').map(Number)
    if (day) go(new Date(year, month - 1, day).getTime())
  }
  const shortcut = (/** @type {number} */ at, /** @type {string} */ name) =>
    html`<button type="button" class="button" disabled=${busy} onClick=${() => go(at)}>${name}</button>`
  return html`
    <${Dialog} title=${say.date} close=${close}>
      <form class="find-form" onSubmit=${submit}>
        <label class="field">
          <span>${say.day}</span>
          <input class="input" type="date" ref=${field} defaultValue=${local(today)} max=${local(today)} required autofocus />
        </label>
        <div class="shortcuts">
          ${shortcut(before(7), say.shortcuts.week)} ${shortcut(before(0, 1), say.shortcuts.month)} ${shortcut(0, say.shortcuts.first)}
        </div>
        ${empty && html`<p class="hint" role="status">${say.noMessages}</p>`} ${problem}
        <div class="dialog-foot"><button class="button primary" disabled=${busy}>${say.go}</button></div>
      </form>
    <//>
  `
}
