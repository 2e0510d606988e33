import { useState } from 'preact/hooks'
import { score } from '../../lib/hangul.js'
import { ui } from '../../model/ui.js'
import { html } from '../html.js'
import { sentences } from './sentences.js'

/** @import { Member } from '../../types' */

const FILTER_FROM = 12 // people; fewer are seen at a glance
const SHOWN_MAX = 200 // rows

/** By name, as the reader's language has it. @param {Member[]} members */
export function ordered(members) {
  const { compare } = new Intl.Collator(ui.lang.value, { numeric: true })
  return [...members].sort((a, b) => compare(a.name, b.name))
}

/**
 * People in groups, and a field that finds them if they are many.
 * @param {{ groups: { name: string, people: Member[] }[], count(n: number): string, row(member: Member): unknown }} props
 */
export function People({ groups, count, row }) {
  const say = sentences.value
  const [query, setQuery] = useState('')
  const all = groups.reduce((sum, { people }) => sum + people.length, 0)
  let room = SHOWN_MAX
  const shown = groups.map(({ name, people }) => {
    const found = query.trim() ? people.filter((person) => score(query, person.name)) : people
    const rows = found.slice(0, room)
    room -= rows.length
    return { name, found, rows }
  })
  const rest = shown.reduce((sum, { found, rows }) => sum + found.length - rows.length, 0)
  return html`
    ${all >= FILTER_FROM &&
    html`<input class="input" type="search" aria-label=${say.filter} placeholder=${say.filter} value=${query}
      onInput=${(/** @type {InputEvent} */ event) => setQuery(/** @type {HTMLInputElement} */ (event.target).value)} />`}
    ${shown.map(
      ({ name, found, rows }) =>
        rows.length > 0 &&
        html`
          <h3>${name} <span>${count(found.length)}</span></h3>
          <ul class="people">${rows.map(row)}</ul>
        `,
    )}
    ${room === SHOWN_MAX && html`<p class="hint">${say.nobody}</p>`}
    ${rest > 0 && html`<p class="hint">${say.more(rest.toLocaleString(ui.lang.value))}</p>`}
  `
}
