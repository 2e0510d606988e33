import { plain } from '../../lib/markdown.js'
import { words } from '../../model/words.js'
import { html } from '../html.js'

/**
 * What a message answers, in one line.
 * @param {{ m: number, message?: import('../../types').Message, reader: import('./reader.js').Reader }} props
 */
export function Quote({ m, message, reader }) {
  const say = words.value.log
  const answered = message ?? reader.answered(m).value
  if (!answered) return html`<p class="quote">${answered === null && say.gone}</p>`
  return html`
    <a class="quote" href=${`#/${reader.room}/${m}`}>
      <span class="hidden-visually">${say.answers(answered.name)}</span>
      <bdi aria-hidden="true">${answered.name}</bdi> <span>${answered.text == null ? say.deleted : plain(answered.text, 200)}</span>
    </a>
  `
}
