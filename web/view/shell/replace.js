import { name } from '../../model/identity.js'
import { words } from '../../model/words.js'
import { html } from '../html.js'
import { Painting } from './painting.js'

/**
 * A link wants this device to be somebody else: who is here could be lost by it, or be made to write as another.
 * @param {{ done(replace: boolean): void }} props
 */
export function Replace({ done }) {
  const say = words.value.shell
  return html`
    <main class="first">
      <${Painting} />
      <form onSubmit=${(/** @type {Event} */ event) => event.preventDefault()}>
        <h1>${say.replace}</h1>
        <p>${say.replaceHint(name.value)}</p>
        <button class="button primary" autofocus onClick=${() => done(false)}>${say.stay(name.value)}</button>
        <button class="button danger" onClick=${() => done(true)}>${say.replaceSure}</button>
      </form>
    </main>
  `
}
