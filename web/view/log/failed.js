import { ui } from '../../model/ui.js'
import { words } from '../../model/words.js'
import { html } from '../html.js'

/** What the server refused: to try again, to write otherwise, or to let go. @param {{ row: import('../../state/rows.js').FailedRow, reader: import('./reader.js').Reader }} props */
export function Failed({ row: { entry }, reader: { chat } }) {
  const say = words.value.log
  const text = entry.send?.text ?? entry.change?.text
  const reason = /** @type {Record<string, string>} */ (say.reasons)[entry.code] ?? entry.msg
  return html`
    <div class="failed" role="alert">
      ${text && html`<p class="text">${text}</p>`}
      <p class="reason">${entry.send ? say.failed : say.failed_change} ${reason}</p>
      <p class="choices">
        <button class="button" onClick=${() => chat.retry(entry.nonce)}>${say.retry}</button>
        ${text && html`<button class="button" onClick=${() => (ui.insert.value = chat.discard(entry.nonce))}>${say.rewrite}</button>`}
        <button class="button quiet" onClick=${() => chat.discard(entry.nonce)}>${say.discard}</button>
      </p>
    </div>
  `
}
