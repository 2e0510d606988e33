import { useEffect, useState } from 'preact/hooks'
import { useChat } from '../../model/context.js'
import { ui } from '../../model/ui.js'
import { html } from '../html.js'
import { useAct } from './act.js'
import { Pin } from './pin.js'
import { sentences } from './sentences.js'

/** @import { Message } from '../../types' */

const SOON = 100 // ms, in which several changes are one

/** The messages put up for all to see, the newest first. @param {{ room: string }} props */
export default function Pins({ room }) {
  const chat = useChat()
  const say = sentences.value
  const [pins, setPins] = useState(/** @type {Message[] | null} */ (null))
  const { run, problem } = useAct()
  useEffect(() => {
    let timer = 0
    const load = () => run(async () => setPins((await chat.api.pins(room)).messages.toSorted((a, b) => b.m - a.m)))
    load()
    const end = chat.listen(({ notice, room: where }) => {
      if (notice !== 'welcome' && !(notice === 'changed' && where === room)) return
      clearTimeout(timer)
      timer = setTimeout(load, SOON)
    })
    return () => (end(), clearTimeout(timer))
  }, [])
  if (problem) return problem
  if (!pins) return html`<p class="hint">${say.loading}</p>`
  if (!pins.length) return html`<div class="empty"><p>${say.noPins}</p><p class="hint">${say.howToPin}</p></div>`
  const at = new Intl.DateTimeFormat(ui.lang.value, { dateStyle: 'medium', timeStyle: 'short' })
  return html`<ul class="pins">${pins.map((pin) => html`<${Pin} key=${pin.m} pin=${pin} room=${room} at=${at} />`)}</ul>`
}
