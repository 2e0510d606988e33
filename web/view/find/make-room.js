import { useRef, useState } from 'preact/hooks'
import { useChat } from '../../model/context.js'
import { html } from '../html.js'
import { useAct } from '../side/act.js'
import { Picker } from './picker.js'
import { sentences } from './sentences.js'
import { useEnter } from './use-enter.js'

const NAME_MAX = 80
const KINDS = /** @type {const} */ (['public', 'private', 'announcement'])

/** @param {{ close(): void, name: string }} props */
export function MakeRoom({ close, name }) {
  const chat = useChat()
  const say = sentences.value
  const field = useRef(/** @type {HTMLInputElement | null} */ (null))
  const [kind, setKind] = useState(/** @type {typeof KINDS[number]} */ ('public'))
  const [members, setMembers] = useState(/** @type {string[]} */ ([]))
  const { run, busy, problem } = useAct()
  const make = () => {
    const called = field.current?.value.trim()
    if (!called) return field.current?.focus()
    run(async () => {
      const { id } = await chat.api.create({ kind, name: called, ...(kind === 'private' && { members }) })
      close()
      chat.show(id)
    })
  }
  const enter = useEnter(make)
  const submit = (/** @type {Event} */ event) => (event.preventDefault(), make())
  return html`
    <form class="find-form" onSubmit=${submit}>
      <label class="field">
        <span>${say.roomName}</span>
        <input ...${enter} class="input" ref=${field} defaultValue=${name} maxlength=${NAME_MAX} autocomplete="off" required autofocus />
      </label>
      <div class="field">
        <span>${say.kind}</span>
        <fieldset class="choice" aria-label=${say.kind}>
          ${KINDS.map((each) => html`
            <label><input type="radio" name="kind" checked=${each === kind} onChange=${() => setKind(each)} /><span>${say.kinds[each]}</span></label>
          `)}
        </fieldset>
        <p class="hint">${say.about[kind]}</p>
      </div>
      ${kind === 'private' && html`<${Picker} title=${say.invite} picked=${members} pick=${setMembers} />`}
      ${problem}
      <div class="dialog-foot"><button class="button primary" disabled=${busy}>${say.create}</button></div>
    </form>
  `
}
