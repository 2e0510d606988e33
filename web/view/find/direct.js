import { useState } from 'preact/hooks'
import { useChat } from '../../model/context.js'
import { html } from '../html.js'
import { useAct } from '../side/act.js'
import { Picker } from './picker.js'
import { sentences } from './sentences.js'

/** A direct message with one or several. @param {{ close(): void }} props */
export function Direct({ close }) {
  const chat = useChat()
  const say = sentences.value
  const [members, setMembers] = useState(/** @type {string[]} */ ([]))
  const { run, busy, problem } = useAct()
  const talk = () =>
    run(async () => {
      const { id } = await chat.api.create({ kind: 'direct', members })
      close()
      chat.show(id)
    })
  return html`
    <${Picker} title=${say.whom} picked=${members} pick=${setMembers} />
    ${problem}
    <div class="dialog-foot"><button class="button primary" disabled=${busy || !members.length} onClick=${talk}>${say.talk}</button></div>
  `
}
