import { useSignalEffect } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import { useChat } from '../../model/context.js'
import { name } from '../../model/identity.js'
import { ui } from '../../model/ui.js'
import { words } from '../../model/words.js'
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
import { listenForKeys } from './shortcuts.js'
import { Sidebar } from './sidebar.js'
import { calls, titled } from './title.js'
import { Toast } from './toast.js'
import { Update } from './update.js'

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
    listenForKeys(chat)
    if (navigator.serviceWorker) import('./pwa.js').then(({ keepShell }) => keepShell(chat)).catch(() => {}) // without, then
  }, [])
  const isLoud = ui.notify.value || ui.sound.value
  useEffect(() => {
    let stop = () => {}
    if (isLoud) import('./alerts.js').then(({ alertOf }) => (stop = alertOf(chat)))
    return () => stop()
  }, [isLoud])
  useSignalEffect(() => {
    if (chat.me.value) name.value = chat.me.value.name // who came by a link has one too
  })
  useSignalEffect(() => {
    const room = chat.room.value
    document.title = titled(calls(chat.rooms.value), chat.entry(room)?.name ?? room, words.value.shell.title)
  })
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
        <div><${Banner} /><${Update} /></div>
        <${Composer} />
        <${Toast} />
      </main>
      <${Pane} />
      <${Dialogs} />
    </div>
  `
}
