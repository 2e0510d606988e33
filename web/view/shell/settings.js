import { useState } from 'preact/hooks'
import { useChat } from '../../model/context.js'
import { leave } from '../../model/identity.js'
import { ui } from '../../model/ui.js'
import settings from '../../words/settings.js'
import { html } from '../html.js'
import { Icon } from '../icons.js'
import { Dialog } from './dialog.js'
import { Erase } from './erase.js'
import { installer } from './offers.js'
import { beep } from './sound.js'

/** @import { Signal } from '@preact/signals' */

/**
 * One of a few.
 * @param {{ title: string, name: string, of: Signal<any>, choices: [any, string, string?][], hint?: string }} props
 */
const Choice = ({ title, name, of, choices, hint }) => html`
  <div class="setting">
    <h3 id=${`set-${name}`}>${title}</h3>
    <fieldset class="choice" aria-labelledby=${`set-${name}`}>
      ${choices.map(
        ([value, label, lang]) => html`
          <label lang=${lang}>
            <input type="radio" name=${name} checked=${of.value === value} onChange=${() => (of.value = value)} /><span>${label}</span>
          </label>
        `,
      )}
    </fieldset>
    ${hint && html`<p class="hint">${hint}</p>`}
  </div>
`

/** @param {{ title: string, name: string, hint: string, on: boolean, flip(on: boolean): void }} props */
const Switch = ({ title, name, hint, on, flip }) => html`
  <div class="setting aside">
    <label for=${`set-${name}`}>${title}</label>
    <input
      type="checkbox"
      class="switch"
      role="switch"
      id=${`set-${name}`}
      aria-describedby=${`set-${name}-hint`}
      checked=${on}
      onChange=${(/** @type {any} */ { currentTarget }) => {
        flip(currentTarget.checked)
        currentTarget.checked = on // what came of it is shown when it has come
      }}
    />
    <p class="hint" id=${`set-${name}-hint`}>${hint}</p>
  </div>
`

/** What of this page is the reader's choice. @param {{ close(): void }} props */
export default function Settings({ close }) {
  const chat = useChat()
  const say = settings[ui.lang.value]
  const [asks, setAsks] = useState('')
  const [permission, setPermission] = useState(globalThis.Notification?.permission)
  const why = !isSecureContext ? say.notifyInsecure : !permission ? say.notifyMissing : permission === 'denied' ? say.notifyDenied : ''
  const notify = async (/** @type {boolean} */ on) => {
    if (on) setPermission(await Notification.requestPermission())
    ui.notify.value = on && Notification.permission === 'granted'
  }
  const sound = (/** @type {boolean} */ on) => {
    ui.sound.value = on
    if (on) beep()
  }
  const install = async () => {
    await installer.value.prompt()
    installer.value = null
  }
  return html`
    <${Dialog} title=${say.title} close=${close}>
      <${Choice} title="언어 · Language" name="lang" of=${ui.chosen} choices=${[
        ['', say.browser],
        ['ko', '한국어', 'ko'],
        ['en', 'English', 'en'],
      ]} />
      <${Choice} title=${say.theme} name="theme" of=${ui.theme} choices=${Object.entries(say.themes)} />
      <${Choice} title=${say.enter} name="enter" of=${ui.enterSends} hint=${say.enterHints[ui.enterSends.value ? 0 : 1]} choices=${[
        [true, say.enters[0]],
        [false, say.enters[1]],
      ]} />
      ${
        why && !ui.notify.value
          ? html`<div class="setting"><h3>${say.notify}</h3><p class="hint">${why}</p></div>`
          : html`<${Switch} name="notify" title=${say.notify} hint=${say.notifyHint} on=${ui.notify.value && !why} flip=${notify} />`
      }
      <${Switch} name="sound" title=${say.sound} hint=${say.soundHint} on=${ui.sound.value} flip=${sound} />
      <div class="setting buttons">
        <button class="button" onClick=${() => (ui.dialog.value = 'phone')}><${Icon} name="phone" />${say.phoneTitle}</button>
        <button class="button" onClick=${() => (ui.dialog.value = 'keys')}><${Icon} name="help" />${say.keys}</button>
        ${installer.value && html`<button class="button" onClick=${install}><${Icon} name="down" />${say.install}</button>`}
        ${isSecureContext && html`<p class="hint">${installer.value ? say.installHint : say.installSelf}</p>`}
      </div>
      <div class="setting buttons">
        <h3>${say.you}</h3>
        <p>${say.name(chat.me.value?.name ?? '')}</p>
        ${
          asks === 'leave'
            ? html`
                <p class="hint">${say.leaveAsk}</p>
                <button class="button danger primary" onClick=${leave}>${say.leaveSure}</button>
                <button class="button quiet" onClick=${() => setAsks('')}>${say.cancel}</button>
              `
            : asks === 'erase'
              ? html`<${Erase} cancel=${() => setAsks('')} />`
              : html`
                  <button class="button danger" onClick=${() => setAsks('leave')}>${say.leave}</button>
                  <button class="button danger" onClick=${() => setAsks('erase')}>${say.erase}</button>
                `
        }
      </div>
    <//>
  `
}
