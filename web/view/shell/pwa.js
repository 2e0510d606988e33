import { update } from './offers.js'

const WORKER = '/sw.js'
const version = import.meta.url.replace(/^(.*\/assets\/[^/]+)\/.*$/, '$1').replace(location.origin, '')

/** The one script that may be made of a text: the worker's own address. */
function address() {
  const { trustedTypes } = /** @type {any} */ (globalThis)
  const createScriptURL = (/** @type {string} */ url) => {
    if (url !== WORKER) throw new TypeError(`no worker is at ${url}`)
    return url
  }
  return trustedTypes ? trustedTypes.createPolicy('damso-worker', { createScriptURL }).createScriptURL(WORKER) : WORKER
}

/**
 * Keeps the page for when the network is away, and tells of new versions. Only an https address or this computer's own
 * has that; elsewhere the page is without.
 * @param {import('../../model/chat.js').Chat} chat
 */
export async function keepShell(chat) {
  const workers = navigator.serviceWorker
  if (!workers) return
  const registration = await workers.register(address(), { updateViaCache: 'none' })
  let asked = false

  // Whoever waits says whether it is what this page is already; only if not there is something to be asked.
  const ask = () => registration.waiting?.postMessage({ version })
  const wait = () => {
    const coming = registration.installing
    coming?.addEventListener('statechange', () => coming.state === 'installed' && ask())
  }
  workers.addEventListener('message', ({ data }) => {
    if (data.show) chat.show(data.show.room, data.show.m)
    if (!data.update) return
    update.value = () => {
      asked = true
      if (registration.waiting) registration.waiting.postMessage({ take: true })
      else location.reload() // another tab was asked first
    }
  })
  workers.addEventListener('controllerchange', () => asked && location.reload())
  registration.addEventListener('updatefound', wait)
  ask()
  wait()
  // A server that was started anew may have brought one.
  chat.listen(({ notice }) => notice === 'welcome' && registration.update().catch(() => {}))
}
