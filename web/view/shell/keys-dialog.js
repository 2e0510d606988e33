import { ui } from '../../model/ui.js'
import keys from '../../words/keys.js'
import { html } from '../html.js'
import { Dialog } from './dialog.js'
import { caps, isMac, KEYS } from './keys.js'

const PARTS = /** @type {const} */ (['page', 'writing', 'log'])
const SWAPPED = /** @type {Record<string, string>} */ ({ Enter: 'Mod+Enter', 'Shift+Enter': 'Enter' })

/** All keys there are. @param {{ close(): void }} props */
export default function Keys({ close }) {
  const say = keys[ui.lang.value]
  const chord = (/** @type {string} */ of) => (ui.enterSends.value ? of : (SWAPPED[of] ?? of))
  return html`
    <${Dialog} title=${say.title} close=${close} wide>
      <div class="keys" role="group" aria-label=${say.title} tabindex="0">
        ${PARTS.map(
          (part) => html`
            <section>
              <h3>${say.parts[part]}</h3>
              <dl>
                ${KEYS.filter((key) => key.part === part).map(
                  (key) => html`
                    <div>
                      <dt>${/** @type {any} */ (say)[key.does]}</dt>
                      <dd>
                        ${key.keys.map((of, i) => [i > 0 && ' · ', ...caps(chord(of)).map((cap) => html`<kbd>${cap}</kbd>`)])}
                        ${key.act === 'find' && [' ', ...caps(chord('Mod+F')).map((cap) => html`<kbd>${cap}</kbd>`)]}
                      </dd>
                    </div>
                  `,
                )}
              </dl>
            </section>
          `,
        )}
      </div>
      ${!isMac && html`<p class="hint">${say.never}</p>`}
    <//>
  `
}
