import { useEffect, useRef } from 'preact/hooks'
import { searchOf } from '../../model/search.js'
import { useChat } from '../../model/context.js'
import { html } from '../html.js'
import { asked } from './asked.js'
import { Found } from './found.js'
import { Operators } from './operators.js'
import { sentences } from './sentences.js'
import { useEnter } from './use-enter.js'

/** Finds messages. @param {{ room: string }} props */
export default function SearchPane({ room }) {
  const chat = useChat()
  const say = sentences.value
  const search = searchOf(chat.api)
  const field = useRef(/** @type {HTMLInputElement | null} */ (null))
  const put = (/** @type {string} */ query) => {
    if (field.current) field.current.value = query
    search.query.value = query
  }

  useEffect(() => {
    field.current?.focus()
    field.current?.select()
    if (search.room.value && search.room.value !== room) choose(room)
  }, [])
  useEffect(() => {
    if (!asked.value) return
    put(asked.value)
    asked.value = ''
    search.run()
  }, [asked.value])

  const choose = (/** @type {string} */ where) => {
    search.room.value = where
    search.run()
  }
  const operator = (/** @type {string} */ text) => {
    const quotes = text === '""'
    put(`${search.query.value.trimEnd()} ${text}${/:$|"$/.test(text) ? '' : ' '}`.trimStart())
    const end = search.query.value.length - (quotes ? 1 : 0)
    field.current?.focus()
    field.current?.setSelectionRange(end, end)
    if (!/:$|"$/.test(text)) search.run()
  }
  const enter = useEnter(() => search.run())
  const scope = (/** @type {string} */ where, /** @type {string} */ name) => html`
    <label><input type="radio" name="scope" checked=${search.room.value === where} onChange=${() => choose(where)} /><span>${name}</span></label>
  `
  return html`
    <search class="search">
      <input ...${enter} class="input" type="search" ref=${field} aria-label=${say.what} placeholder=${say.what} defaultValue=${search.query.peek()}
        autocomplete="off" spellcheck=${false} enterkeyhint="search" onInput=${(/** @type {any} */ event) => search.type(event.currentTarget.value)} />
      <fieldset class="choice" aria-label=${say.scope}>${scope('', say.everywhere)} ${scope(room, say.here)}</fieldset>
      <${Operators} use=${operator} open=${search.state.value === 'idle'} />
      <${Found} search=${search} />
    </search>
  `
}
