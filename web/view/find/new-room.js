import { useState } from 'preact/hooks'
import { html } from '../html.js'
import { Dialog } from '../shell/dialog.js'
import { called } from './asked.js'
import { Direct } from './direct.js'
import { JoinRoom } from './join-room.js'
import { MakeRoom } from './make-room.js'
import { sentences } from './sentences.js'

const TABS = { make: MakeRoom, join: JoinRoom, direct: Direct }

/** Rooms to make, rooms to join, people to talk to. @param {{ close(): void }} props */
export default function NewRoom({ close }) {
  const say = sentences.value
  const [tab, setTab] = useState(/** @type {keyof typeof TABS} */ ('make'))
  const [name] = useState(() => called.peek())
  called.value = ''
  return html`
    <${Dialog} title=${say.newRoom} close=${close} class="new-room">
      <fieldset class="choice" aria-label=${say.doing}>
        ${/** @type {(keyof typeof TABS)[]} */ (Object.keys(TABS)).map((each) => html`
          <label><input type="radio" name="tab" checked=${each === tab} onChange=${() => setTab(each)} /><span>${say.tabs[each]}</span></label>
        `)}
      </fieldset>
      <${TABS[tab]} close=${close} name=${name} />
    <//>
  `
}
