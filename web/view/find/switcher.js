import { useComputed, useSignal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import { choices } from '../../lib/choices.js'
import { useChat } from '../../model/context.js'
import { ui } from '../../model/ui.js'
import { watch } from '../../model/watching.js'
import { html } from '../html.js'
import { Dialog } from '../shell/dialog.js'
import { asked, called } from './asked.js'
import { Choice } from './choice.js'
import { everybody, places } from './places.js'
import { sentences } from './sentences.js'
import { useEnter } from './use-enter.js'

/** @import { Place } from './places.js' */

const SHOWN = 30
const WATCHED_MAX = 200 // as many as the server tells of

/**
 * Goes to a room or a person by a few letters of the name: Ctrl+K.
 * @param {{ close(): void }} props
 */
export default function Switcher({ close }) {
  const chat = useChat()
  const say = sentences.value
  const query = useSignal('')
  const at = useSignal(0)
  const others = useSignal(/** @type {any[]} */ ([]))
  const people = String(everybody(chat).slice(0, WATCHED_MAX).map(({ user }) => user))
  useEffect(() => {
    const view = {}
    watch(chat, view, people ? people.split(',') : [])
    return () => watch(chat, view, [])
  }, [people])
  useEffect(() => {
    chat.api.rooms().then((rooms) => (others.value = rooms.others), () => {}) // own rooms are found all the same
  }, [])
  const all = useComputed(() => places(chat, others.value))
  const result = useComputed(() => choices(query.value, query.value.trim() ? all.value : all.value.filter(({ kind }) => kind !== 'join')))
  const rows = useComputed(() => {
    const wanted = query.value.trim()
    const found = result.value.found.slice(0, SHOWN)
    if (!wanted) return found
    const { reading = wanted } = result.value
    const made = found.some(({ name }) => name === reading)
    return [...found, ...[...new Set([reading, wanted])].map(searchFor), ...(made ? [] : [roomOf(reading)])]
  })

  const choose = (n = at.value) => {
    const row = rows.value[n]
    if (!row) return
    close()
    row.go()
  }
  const enter = useEnter(() => choose())
  const keys = (/** @type {KeyboardEvent} */ event) => {
    const count = rows.value.length
    const step = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0
    if (!step || event.isComposing || event.keyCode === 229) return enter.onKeyDown(event)
    event.preventDefault()
    at.value = (at.value + step + count) % Math.max(1, count)
  }
  const type = (/** @type {any} */ { currentTarget }) => {
    query.value = currentTarget.value
    at.value = 0
  }

  return html`
    <${Dialog} title=${say.switcher} close=${close} class="switcher">
      <input ...${enter} class="input" role="combobox" aria-label=${say.where} aria-autocomplete="list" aria-expanded="true"
        aria-controls="places" aria-activedescendant=${rows.value.length ? `place-${at.value}` : null} autofocus autocomplete="off"
        spellcheck=${false} enterkeyhint="go" placeholder=${say.where} onInput=${type} onKeyDown=${keys} />
      ${result.value.reading && html`<p class="hint" role="status">${say.reading(result.value.reading)}</p>`}
      <ul class="rows" role="listbox" id="places" aria-label=${say.places}>
        ${rows.value.map((row, n) => html`<${Choice} key=${row.kind + row.id} row=${row} n=${n} chosen=${n === at.value} choose=${choose} />`)}
      </ul>
    <//>
  `
}

/** @param {string} text @returns {Place} */
const searchFor = (text) => ({ kind: 'search', id: text, name: text, go: () => ((asked.value = text), (ui.pane.value = 'search')) })

/** @param {string} name @returns {Place} */
const roomOf = (name) => ({ kind: 'new', id: '', name, go: () => ((called.value = name), (ui.dialog.value = 'new-room')) })
