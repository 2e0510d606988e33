import { render } from 'preact'
import { Api } from './net/api.js'
import { Keeper } from './net/keeper.js'
import { Chat, nonce } from './model/chat.js'
import { ChatContext } from './model/context.js'
import { become, clean, key, name } from './model/identity.js'
import { ui } from './model/ui.js'
import { Client } from './state/client.js'
import { html } from './view/html.js'
import { App } from './view/shell/app.js'
import { First } from './view/shell/first.js'

const root = /** @type {HTMLElement} */ (document.getElementById('app'))

/** @param {boolean} isNew */
async function begin(isNew) {
  const keeper = await Keeper.open(`damso-${key.value.slice(0, 8)}`)
  const client = new Client({ key: key.value, name: name.value, agent: 'damso-web', lang: ui.lang.value }, keeper.saved, Math.random)
  const chat = new Chat(client, new Api(key.value), keeper)
  const go = () => {
    const [room, m] = decodeURIComponent(location.hash).replace(/^#\/?/, '').split('/')
    chat.show(room || 'lobby', Number(m) || undefined)
  }
  addEventListener('popstate', go)
  chat.start()
  go()
  render(html`<${ChatContext.Provider} value=${chat}><${App} isNew=${isNew} /><//>`, root)
}

/** @param {string} chosen */
function first(chosen) {
  name.value = chosen
  key.value = nonce()
  begin(true)
}

/** Goes in as whoever this device is. */
function enter() {
  if (key.value) return begin(false)
  render(html`<${First} done=${first} />`, root)
  clean().catch(() => {}) // no database can be had
}

// A link from another device carries the key in its fragment, which no server sees.
const given = new URLSearchParams(location.hash.slice(1)).get('key')
if (given) history.replaceState(null, '', location.pathname)
const go = (/** @type {boolean} */ replace) => {
  if (replace && given) become(given)
  enter()
}
if (!given || !key.value || given === key.value) go(true)
else import('./view/shell/replace.js').then(({ Replace }) => render(html`<${Replace} done=${go} />`, root))
