import { useChat } from '../../model/context.js'
import { words } from '../../model/words.js'
import { html } from '../html.js'
import { Icon } from '../icons.js'

/** Something that was asked for can't be. */
export function Toast() {
  const { complaint } = useChat()
  return html`
    <div class="toasts" role="alert">
      ${
        complaint.value &&
        html`<p class="toast">
          ${complaint.value}
          <button class="icon-button" aria-label=${words.value.shell.close} onClick=${() => (complaint.value = '')}>
            <${Icon} name="close" />
          </button>
        </p>`
      }
    </div>
  `
}
