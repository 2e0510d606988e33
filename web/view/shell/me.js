import { useChat } from '../../model/context.js'
import { ui } from '../../model/ui.js'
import { words } from '../../model/words.js'
import { html } from '../html.js'
import { Icon } from '../icons.js'

/** Who one is here, and what can be set. */
export function Me() {
  const chat = useChat()
  const say = words.value.shell
  const ready = chat.link.value === 'ready'
  return html`
    <footer class="me">
      <span class=${`dot ${ready ? 'on' : ''}`}></span>
      <p>
        <b>${chat.me.value?.name}</b>
        <small>${ready ? say.online : say.offline}</small>
      </p>
      <button class="icon-button" aria-label=${say.phone} title=${say.phone} onClick=${() => (ui.dialog.value = 'phone')}>
        <${Icon} name="phone" />
      </button>
      <button class="icon-button" aria-label=${say.settings} title=${say.settings} onClick=${() => (ui.dialog.value = 'settings')}>
        <${Icon} name="gear" />
      </button>
    </footer>
  `
}
