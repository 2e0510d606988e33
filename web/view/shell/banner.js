import { useChat } from '../../model/context.js'
import { words } from '../../model/words.js'
import { html } from '../html.js'

/** What has to be said of the connection. */
export function Banner() {
  const state = useChat().state.value
  const say = /** @type {Record<string, string>} */ (words.value.shell)
  return html`<p class="banner" role="status">${state && say[state]}</p>`
}
