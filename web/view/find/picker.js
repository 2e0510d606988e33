import { useState } from 'preact/hooks'
import { choices } from '../../lib/choices.js'
import { useChat } from '../../model/context.js'
import { html } from '../html.js'
import { ordered } from '../side/people.js'
import { Filter } from './filter.js'
import { everybody } from './places.js'
import { sentences } from './sentences.js'

const SHOWN = 100

/**
 * People, of whom some are chosen.
 * @param {{ title: string, picked: string[], pick(users: string[]): void }} props
 */
export function Picker({ title, picked, pick }) {
  const chat = useChat()
  const [query, setQuery] = useState('')
  const all = ordered(everybody(chat))
  const toggle = (/** @type {string} */ user) => pick(picked.includes(user) ? picked.filter((each) => each !== user) : [...picked, user])
  if (!all.length) return html`<p class="hint">${sentences.value.noPeople}</p>`
  return html`
    <div class="field" role="group" aria-label=${title}>
      <span>${title}</span>
      <${Filter} of=${all} query=${query} change=${setQuery} />
      <ul class="rows find-rows">
        ${choices(query, all).found.slice(0, SHOWN).map(({ user, name }) => html`
          <li key=${user}>
            <label class="row">
              <input type="checkbox" checked=${picked.includes(user)} onChange=${() => toggle(user)} />
              <span class="row-name">${name}</span>
            </label>
          </li>
        `)}
      </ul>
    </div>
  `
}
