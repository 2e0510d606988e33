import { ui } from '../../model/ui.js'
import { Composer } from '../composer/composer.js'
import { html } from '../html.js'
import { Log } from '../log/log.js'
import { Pane } from '../side/pane.js'
import { Banner } from './banner.js'
import { Dialogs } from './dialogs.js'
import { Header } from './header.js'
import { Sidebar } from './sidebar.js'

/** The chat: rooms, the conversation, what lies beside it. */
export const App = () => html`
  <div class="app" data-side=${ui.side.value}>
    <${Sidebar} />
    <main class="conversation">
      <${Header} />
      <${Log} />
      <${Banner} />
      <${Composer} />
    </main>
    <${Pane} />
    <${Dialogs} />
  </div>
`
