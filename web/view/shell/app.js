import { useEffect } from 'preact/hooks'
import { useChat } from '../../model/context.js'
import { name } from '../../model/identity.js'
import { ui } from '../../model/ui.js'
import { Composer } from '../composer/composer.js'
import { html } from '../html.js'
import { Log } from '../log/log.js'
import { Pane } from '../side/pane.js'
import { Banner } from './banner.js'
import { Dialogs } from './dialogs.js'
import { First } from './first.js'
import { fit } from './fit.js'
import { Header } from './header.js'
import { keepHistory } from './history.js'
import { Sidebar } from './sidebar.js'
import { Toast } from './toast.js'

/**
 * The chat: rooms, the conversation, what lies beside it. Who is new sees the first question until the server says
 * welcome.
 * @param {{ isNew: boolean }} props
 */
export function App({ isNew }) {
  const chat = useChat()
  useEffect(() => {
    fit()
    keepHistory()
  }, [])
  if (!chat.me.value && (isNew || chat.taken.value)) {
    const done = (/** @type {string} */ other) => {
      name.value = other
      chat.rename(other)
    }
    return html`<${First} done=${done} taken=${chat.taken.value} entering />`
  }
  return html`
    <div class="app" data-side=${ui.side.value}>
      <${Sidebar} />
      <main class="conversation">
        <${Header} />
        <${Log} />
        <${Banner} />
        <${Composer} />
        <${Toast} />
      </main>
      <${Pane} />
      <${Dialogs} />
    </div>
  `
}
