import { useEffect, useState } from 'preact/hooks'
import { useChat } from '../../model/context.js'
import { html } from '../html.js'
import { useAct } from './act.js'
import { Ask } from './ask.js'
import { Once } from './once.js'
import { sentences } from './sentences.js'

/** A room's webhooks. @param {{ room: string }} props */
export function Hooks({ room }) {
  const chat = useChat()
  const say = sentences.value
  const { run, busy, problem } = useAct()
  const [hooks, setHooks] = useState(/** @type {{ id: string, name: string }[]} */ ([]))
  const [url, setUrl] = useState('')
  const load = async () => setHooks((await chat.api.hooks(room)).hooks)
  useEffect(() => void run(load), [])
  const make = (/** @type {SubmitEvent} */ event) => {
    event.preventDefault()
    const form = /** @type {HTMLFormElement} */ (event.currentTarget)
    run(async () => {
      setUrl((await chat.api.hook(room, String(new FormData(form).get('name')))).url)
      form.reset()
      await load()
    })
  }
  const revoke = async (/** @type {string} */ id) => {
    await chat.api.unhook(room, id)
    setUrl('')
    await load()
  }
  return html`
    <section>
      <h3>${say.hooks}</h3>
      <p class="hint">${say.hooksHint}</p>
      <ul class="hooks">
        ${hooks.map(
          ({ id, name }) => html`
            <li key=${id}><span class="name">${name}</span> <${Ask} label=${say.revoke} question=${say.revokeAsk(name)} act=${() => revoke(id)} /></li>
          `,
        )}
      </ul>
      ${url && html`<${Once} key=${url} url=${url} />`}
      <form onSubmit=${make}>
        <label class="field"><span>${say.hookName}</span><input class="input" name="name" maxlength="32" required autocomplete="off" /></label>
        ${problem}
        <button class="button" disabled=${busy}>${say.hookMake}</button>
      </form>
    </section>
  `
}
