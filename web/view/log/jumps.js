import { words } from '../../model/words.js'
import { html } from '../html.js'
import { Icon } from '../icons.js'

/** Ways to what is new and isn't in view. @param {{ reader: import('./reader.js').Reader }} props */
export function Jumps({ reader }) {
  const say = words.value.log
  const unseen = reader.timeline.value.n - reader.seen.value
  return html`
    <div class="jumps">
      ${
        reader.isLineAbove.value &&
        html`
          <button class="jump up counted" onClick=${() => reader.toLine()}><${Icon} name="down" />${say.above(reader.line.value?.count ?? 0)}</button>
        `
      }
      ${
        !reader.isAtEnd.value &&
        html`
          <button class=${unseen > 0 ? 'jump down counted' : 'jump down'} aria-label=${unseen > 0 ? null : say.end} onClick=${() => reader.toEnd()}>
            <${Icon} name="down" />${unseen > 0 && say.below(unseen)}
          </button>
        `
      }
    </div>
  `
}
