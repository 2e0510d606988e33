import { useChat } from '../../model/context.js'
import { ui } from '../../model/ui.js'
import { words } from '../../model/words.js'
import { html } from '../html.js'
import { Icon } from '../icons.js'
import { KIND } from './room-link.js'
import { calls } from './title.js'

/** What the header has a button for: a pane, or a dialog. */
const BUTTONS = /** @type {const} */ ([
  { icon: 'search', word: 'search', pane: 'search' },
  { icon: 'people', word: 'members', pane: 'members' },
  { icon: 'pin', word: 'pins', pane: 'pins' },
  { icon: 'calendar', word: 'date', dialog: 'date' },
  { icon: 'settings', word: 'roomSettings', pane: 'settings' },
])
const FIRST = 1 // of them stand in a phone's header, the others in its menu

/** @param {typeof BUTTONS[number]} button */
function press(button) {
  if ('dialog' in button) ui.dialog.value = button.dialog
  else ui.pane.value = ui.pane.value === button.pane ? null : button.pane
}

/** The room in view: what it is called and about, and what can be done there. */
export function Header() {
  const chat = useChat()
  const say = words.value.shell
  const room = chat.room.value
  const entry = chat.entry(room)
  const topic = chat.detail(room).value?.topic
  const narrow = ui.narrow.value
  const called = narrow ? calls(chat.rooms.value.filter(({ id }) => id !== room)) : 0
  return html`
    <header class="room-head">
      ${
        narrow &&
        html`<button class="icon-button" aria-label=${say.back} onClick=${() => (ui.side.value = 'rooms')}>
          <${Icon} name="back" />${called > 0 && html`<span class="badge">${called}</span>`}
        </button>`
      }
      <div class="room-title">
        <h1>${entry && html`<${Icon} name=${KIND[entry.kind]} />`}<span>${entry?.name ?? room}</span></h1>
        ${topic && html`<p class="topic" title=${topic}>${topic}</p>`}
      </div>
      ${BUTTONS.slice(0, narrow ? FIRST : undefined).map(
        (button) => html`
          <button
            class="icon-button"
            aria-label=${say[button.word]}
            title=${say[button.word]}
            aria-pressed=${'pane' in button ? ui.pane.value === button.pane : null}
            onClick=${() => press(button)}
          >
            <${Icon} name=${button.icon} />
          </button>
        `,
      )}
      ${
        narrow &&
        html`
          <button class="icon-button" popovertarget="room-menu" aria-label=${say.more}><${Icon} name="more" /></button>
          <div id="room-menu" popover class="popover room-menu" onClick=${(/** @type {Event} */ event) => /** @type {HTMLElement} */ (event.currentTarget).hidePopover()}>
            ${BUTTONS.slice(FIRST).map(
              (button) => html`<button class="row" onClick=${() => press(button)}><${Icon} name=${button.icon} />${say[button.word]}</button>`,
            )}
          </div>
        `
      }
    </header>
  `
}
