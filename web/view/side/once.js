import { useRef, useState } from 'preact/hooks'
import { words } from '../../model/words.js'
import { html } from '../html.js'

/** An address that is shown once. @param {{ url: string }} props */
export function Once({ url }) {
  const say = words.value.side
  const field = useRef(/** @type {HTMLInputElement | null} */ (null))
  const [copied, setCopied] = useState(false)
  const copy = () => {
    field.current?.select()
    // The clipboard of today is for secure contexts, and this page is used without one.
    setCopied(document.execCommand('copy'))
  }
  return html`
    <div class="card" role="status">
      <p>${say.hookOnce}</p>
      <input class="input" readonly aria-label=${say.hooks} value=${url} ref=${field} onFocus=${() => field.current?.select()} />
      <button class="button" type="button" onClick=${copy}>${copied ? say.copied : say.copy}</button>
    </div>
  `
}
