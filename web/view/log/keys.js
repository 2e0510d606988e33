import { copy } from '../copy.js'
import { allowed, edit, reply } from './allowed.js'

/** @import { Reader } from './reader.js' */

const JAMO = /^[ㄱ-ㅣ]$/ // what a letter's key gives in the Korean layout

/** @type {Record<string, (rows: HTMLElement[], at: number) => HTMLElement | undefined>} */
const MOVES = {
  ArrowUp: (rows, at) => rows[at - 1],
  ArrowDown: (rows, at) => rows[at + 1],
  Home: (rows) => rows[0],
  End: (rows) => rows.at(-1),
}

/** @type {Record<string, (message: import('../../types').Message, reader: Reader) => void>} */
const ACTS = {
  r: (message, reader) => allowed(message, reader).maySay && reply(message, reader),
  e: (message, reader) => allowed(message, reader).isMine && edit(message, reader),
  c: ({ text }) => copy(text ?? ''),
  Enter: ({ m }, reader) => reader.open(m, 'open'),
  Delete: (message, reader) => allowed(message, reader).mayRemove && reader.open(message.m, 'sure'),
  '+': (message, reader) => allowed(message, reader).maySay && reader.open(message.m, 'emoji'),
}

export const toComposer = () => document.getElementById('composer')?.focus({ preventScroll: true })

/** Keys on a message: from one to the next, and what can be done with it. @param {KeyboardEvent} event @param {Reader} reader */
export function onKey(event, reader) {
  if (event.isComposing || event.keyCode === 229 || event.ctrlKey || event.metaKey || event.altKey) return
  const key = JAMO.test(event.key) ? event.code.slice(3).toLowerCase() : event.key
  const row = /** @type {HTMLElement} */ (event.target)
  if (!row.matches('article') || !getSelection()?.isCollapsed) return
  const rows = /** @type {HTMLElement[]} */ ([...row.parentElement?.querySelectorAll('article[data-m]') ?? []])
  const move = MOVES[{ j: 'ArrowDown', k: 'ArrowUp' }[key] ?? key]
  const message = reader.timeline.peek().messages.find(({ m }) => `${m}` === row.dataset.m)
  if (key === 'Escape') toComposer()
  else if (move) move(rows, rows.indexOf(row))?.focus()
  else if (message && message.text != null && ACTS[key]) ACTS[key](message, reader)
  else return
  event.preventDefault()
}
