import { words } from '../../model/words.js'
import { html } from '../html.js'

/** The one question before the chat. @param {{ done(name: string): void }} props */
export function First({ done }) {
  const say = words.value.shell
  const submit = (/** @type {SubmitEvent} */ event) => {
    event.preventDefault()
    const form = /** @type {HTMLFormElement} */ (event.currentTarget)
    const name = String(new FormData(form).get('name')).trim()
    if (name) done(name)
  }
  return html`
    <main class="first">
      <form onSubmit=${submit}>
        <h1>${say.title}</h1>
        <label>${say.welcome}<input name="name" maxlength="32" autocomplete="nickname" required autofocus /></label>
        <p>${say.hint}</p>
        <button>${say.enter}</button>
      </form>
    </main>
  `
}
