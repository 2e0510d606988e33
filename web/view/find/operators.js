import { html } from '../html.js'
import { sentences } from './sentences.js'

/**
 * What a search can say; each of them is put into the field.
 * @param {{ use(text: string): void, open: boolean }} props
 */
export function Operators({ use, open }) {
  const say = sentences.value
  return html`
    <details class="operators" open=${open}>
      <summary>${say.help}</summary>
      <ul>
        ${say.operators.map(([text, means]) => html`
          <li><button onClick=${() => use(text)}><code>${text}</code> <span>${means}</span></button></li>
        `)}
      </ul>
    </details>
  `
}
