import { useChat } from '../../model/context.js'
import { leave } from '../../model/identity.js'
import { words } from '../../model/words.js'
import { html } from '../html.js'

/** What has to be said of the connection. */
export function Banner() {
  const state = useChat().state.value
  const say = words.value.shell
  return html`
    <div class="banner" role="status" data-state=${state}>
      ${state && html`<span>${/** @type {any} */ (say)[state]}</span>`}
      ${state?.startsWith('stopped') && html`<button class="button" onClick=${leave}>${say.again}</button>`}
    </div>
  `
}
