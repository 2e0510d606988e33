import { words } from '../../model/words.js'
import { html } from '../html.js'
import { update } from './offers.js'

/** Offers the new version; nothing is lost by it, and nobody is interrupted. */
export function Update() {
  const say = words.value.shell
  return html`
    <div class="banner" role="status" data-state="update">
      ${update.value && [html`<span>${say.update}</span>`, html`<button class="button" onClick=${update.value}>${say.refresh}</button>`]}
    </div>
  `
}
