import { useState } from 'preact/hooks'
import { useChat } from '../../model/context.js'
import { ui } from '../../model/ui.js'
import settings from '../../words/settings.js'
import { html } from '../html.js'

/** Takes back all that one ever wrote, after one's name was typed. @param {{ cancel(): void }} props */
export function Erase({ cancel }) {
  const chat = useChat()
  const say = settings[ui.lang.value]
  const [typed, setTyped] = useState('')
  const [said, setSaid] = useState('')
  const name = chat.me.value?.name ?? ''
  const isSure = typed.trim().normalize('NFC') === name.normalize('NFC')
  const erase = async (/** @type {Event} */ event) => {
    event.preventDefault()
    if (isSure) setSaid(await chat.api.erase().then(({ messages }) => say.erased(messages), (why) => why.message))
  }
  if (said) return html`<p role="status">${said}</p>`
  return html`
    <form class="buttons" onSubmit=${erase}>
      <label class="field">
        <span class="hint">${say.eraseAsk}</span>
        <input
          class="input"
          placeholder=${name}
          autocomplete="off"
          autofocus
          onInput=${(/** @type {any} */ { currentTarget }) => setTyped(currentTarget.value)}
        />
      </label>
      <button class="button danger primary" disabled=${!isSure}>${say.eraseSure}</button>
      <button type="button" class="button quiet" onClick=${cancel}>${say.cancel}</button>
    </form>
  `
}
