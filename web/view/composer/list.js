import { words } from '../../model/words.js'
import { html } from '../html.js'

/**
 * What may be meant, above the field.
 * @param {{ of: import('./suggestions.js').Suggestions, choose(n: number): void }} props
 */
export function List({ of, choose }) {
  const say = words.value.composer
  const items = of.items.value
  const notes = /** @type {Record<string, string>} */ (/** @type {unknown} */ (say))
  if (!items.length) return null
  return html`
    <div class="suggestions popover" role="listbox" id=${of.id} aria-label=${say.suggestions}>
      ${items.map(
        ({ key, sign, tone, label, note, online }, n) => html`
          <div
            key=${key}
            id=${`${of.id}-${n}`}
            class="row"
            role="option"
            aria-selected=${n === of.active.value}
            onMouseDown=${(/** @type {Event} */ event) => event.preventDefault()}
            onClick=${() => choose(n)}
          >
            <span class=${tone === undefined ? 'glyph' : 'mark'} data-tone=${tone} data-online=${online || null} aria-hidden="true">${sign}</span>
            <span class="label">${label}</span>
            <span class="note">${note && (notes[note] ?? note)}</span>
          </div>
        `,
      )}
    </div>
  `
}
