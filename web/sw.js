// Keeps the page, and nothing that was said, for when the server can't be reached.

const ASSETS = '{{assets}}'
const FILES = {{files}}
const PATIENCE = 4000 // ms for which a page that is kept already waits for its server

// The plain page and the PNGs aren't needed without a server; licences are for reading.
const SHELL = FILES.filter((file) => !/^(plain|data)\/|^plain|\.(png|txt)$/.test(file)).map((file) => `${ASSETS}/${file}`)

async function keep() {
  const cache = await caches.open(ASSETS)
  const page = await fetch('/', { cache: 'no-cache' })
  // The server may have become another one since it gave this worker.
  if (!(await page.clone().text()).includes(ASSETS)) throw new Error('the page is of another version')
  await Promise.all([cache.put('/', page), cache.addAll([...SHELL, '/manifest.webmanifest'])])
}

async function clean() {
  for (const name of await caches.keys()) if (name !== ASSETS) await caches.delete(name)
  await clients.claim()
}

/** The server's page; the kept one if there is no answer. @param {Request} request */
async function page(request) {
  const kept = await caches.match('/')
  const late = new Promise((_, fail) => setTimeout(fail, PATIENCE))
  return (kept ? Promise.race([fetch(request), late]) : fetch(request)).catch(() => kept ?? Response.error())
}

async function asset(request) {
  const kept = await caches.match(request)
  if (kept) return kept
  const answer = await fetch(request)
  // Also what was too big to be kept from the start: it is wanted.
  if (answer.ok && new URL(request.url).pathname.startsWith(ASSETS)) (await caches.open(ASSETS)).put(request, answer.clone())
  return answer
}

addEventListener('install', (event) => event.waitUntil(keep()))
addEventListener('activate', (event) => event.waitUntil(clean()))
addEventListener('message', (event) => {
  const { version, take } = event.data
  if (take || version === ASSETS) skipWaiting()
  else if (version) event.source.postMessage({ update: true })
})
addEventListener('fetch', (event) => {
  const { request } = event
  const { origin, pathname } = new URL(request.url)
  if (request.method !== 'GET' || origin !== location.origin) return
  if (request.mode === 'navigate' && pathname === '/') event.respondWith(page(request))
  else if (pathname.startsWith('/assets/')) event.respondWith(asset(request))
})
addEventListener('notificationclick', (event) => {
  event.notification.close()
  const { room, m } = event.notification.data
  event.waitUntil(
    (async () => {
      const [window] = await clients.matchAll({ type: 'window', includeUncontrolled: true })
      if (!window) return clients.openWindow(`/#/${room}/${m}`)
      window.postMessage({ show: { room, m } })
      await window.focus()
    })(),
  )
})
