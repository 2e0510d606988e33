import { words } from '../../model/words.js'
import { place } from '../../state/timeline.js'
import { html } from '../html.js'
import { Icon } from '../icons.js'
import { times } from './time.js'

/** Ways to what is new and isn't in view. @param {{ reader: import('./reader.js').Reader }} props */
export function Jumps({ reader }) {
  const say = words.value.log
  const { messages } = reader.timeline.value
  const { seq, count } = reader.line.value ?? { seq: 0, count: 0 }
  const at = place(messages, seq + 1)
  // When they began is known if what was read before them is.
  const since = messages[at - 1] && messages[at] && times.value.clock.format(messages[at].at)
  const unseen = reader.timeline.value.n - reader.seen.value
  return html`
    <div class="jumps">
      ${
        reader.isLineAbove.value &&
        html`
          <button class="jump up counted" onClick=${() => reader.toLine()}><${Icon} name="down" />${say.above(count, since)}</button>
        `
      }
      ${
        (reader.isFar.value || (unseen > 0 && !reader.isAtEnd.value)) &&
        html`
          <button class=${unseen > 0 ? 'jump down counted' : 'jump down'} aria-label=${unseen > 0 ? null : say.end} onClick=${() => reader.toEnd()}>
            <${Icon} name="down" />${unseen > 0 && say.below(unseen)}
          </button>
        `
      }
    </div>
  `
}
