import { useState } from 'preact/hooks'
import { copy } from '../copy.js'
import { html } from '../html.js'
import { sentences } from './sentences.js'

/** An address that is shown once. @param {{ url: string }} props */
export function Once({ url }) {
  const say = sentences.value
  const [copied, setCopied] = useState(false)
  const take = () => copy(url).then(() => setCopied(true))
  return html`
    <div class="card" role="status">
      <p>${say.hookOnce}</p>
      <input class="input" readonly aria-label=${say.hooks} value=${url} onFocus=${select} />
      <button class="button" type="button" onClick=${take}>${copied ? say.copied : say.copy}</button>
    </div>
  `
}

const select = (/** @type {FocusEvent} */ { target }) => /** @type {HTMLInputElement} */ (target).select()
