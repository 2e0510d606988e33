import { useEffect, useRef } from 'preact/hooks'
import { words } from '../../model/words.js'
import { html } from '../html.js'
import { times } from './time.js'

/** @import { DayRow, GapRow } from '../../state/rows.js' */
/** @import { Reader } from './reader.js' */

/** What stands between messages. */

const JAR = new URL('../../icon.svg', import.meta.url).href

/** @param {{ row: DayRow }} props */
export const Day = ({ row: { at } }) => html`
  <h2 class="day"><time dateTime=${new Date(at).toISOString()} title=${times.value.date.format(at)}>${dayOf(at)}</time></h2>
`

const dayOf = (/** @type {number} */ at) =>
  (new Date(at).getFullYear() === new Date().getFullYear() ? times.value.day : times.value.date).format(at)

export const New = () => html`<p class="new" data-m="new"><span>${words.value.log.new}</span></p>`

/** @param {{ reader: Reader }} props */
export const Start = ({ reader }) =>
  reader.timeline.value.n
    ? html`<p class="start">${words.value.log.start}</p>`
    : html`<div class="empty-room"><img src=${JAR} alt="" /><p>${words.value.log.empty}</p></div>`

/** @param {{ reader: Reader }} props */
export const More = ({ reader }) => html`<p class="start" aria-busy="true">${reader.timeline.value.open && words.value.log.more}</p>`

/** What isn't loaded between two messages. It is, when it comes into view. @param {{ row: GapRow, reader: Reader }} props */
export function Gap({ row: { after, before, count }, reader }) {
  const box = useRef(/** @type {HTMLElement | null} */ (null))
  useEffect(() => {
    const observer = new IntersectionObserver(([{ isIntersecting, boundingClientRect, rootBounds }]) => {
      if (!isIntersecting || !rootBounds) return
      const isLow = boundingClientRect.top > rootBounds.top + rootBounds.height / 2
      reader.load(isLow ? { after } : { before })
    })
    if (box.current) observer.observe(box.current)
    return () => observer.disconnect()
  }, [])
  return html`<p class="gap" ref=${box}><button class="button quiet" onClick=${() => reader.load({ before })}>${words.value.log.gap(count)}</button></p>`
}
