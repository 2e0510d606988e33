/**
 * The page in a real browser. What a test file needs of its surroundings:
 *
 * DAMSO_BIN    the server's binary
 * CHROMIUM     the browser, /usr/bin/chromium if not given
 * SCREENSHOTS  a folder that gets pictures of the page
 * WEB_SIZE     full: all that takes long
 * WEB_ADDRESS  lan: pages come from an address of the machine's own network, and are no secure context
 */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { chromium } from 'playwright-core'
import { isLan } from './host.mjs'

const { CHROMIUM = '/usr/bin/chromium', SCREENSHOTS } = process.env
const ARGS = `--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking
  --disable-component-update --disable-sync`.split(/\s+/)
const SOON = 10_000 // ms in which what must happen has happened

/** What the browser itself says of a server that doesn't answer; for `forgive`. */
export const AWAY = /^WebSocket connection to|when fetching the script|ERR_CONNECTION|ERR_INTERNET_DISCONNECTED|ERR_FAILED|ERR_EMPTY_RESPONSE|ERR_SOCKET_NOT_CONNECTED/

export const DESKTOP = { viewport: { width: 1280, height: 800 } }
export const PHONE = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true, deviceScaleFactor: 2 }

let launched

/** One browser for the whole file, with a profile that is thrown away; `closeBrowser` belongs into the file's `after`. */
export const theBrowser = (args = []) => (launched ??= chromium.launch({ executablePath: CHROMIUM, args: [...ARGS, ...args] }))

export async function closeBrowser() {
  await (await launched)?.close()
  launched = undefined
}

/** A key as the page makes it: who has said hello with it is that user again. */
export const newKey = () => randomBytes(16).toString('base64url')

/**
 * Opens the page as somebody, and waits until the conversation is there.
 *
 * name      a new user of this name goes through the first page; with a `key` the page is entered as who has the key
 * locale, theme, viewport …   as of `browser.newContext`; `theme` is the system's, 'light' or 'dark'
 * context   of another page of the same person: the new page is a second tab, which is let in by what the first one kept
 * at        what follows the address, as '#/lobby/12'
 * init      runs in the page before its own scripts
 * ready     false to wait for nothing
 */
export async function openChat(url, { name = '민수', key, context, theme = 'light', at = '', init, ready = true, ...options } = {}) {
  const own = context ?? (await (await theBrowser()).newContext({ locale: 'ko-KR', colorScheme: theme, ...DESKTOP, ...options }))
  const page = await own.newPage()
  page.setDefaultTimeout(SOON)
  page.complaints = []
  page.foreign = []
  page.wire = [] // frames since the last load: `{at, up, line, …}` of what went up, and of what came down
  page.line = 0 // the number of the connection, whose ids begin anew
  page.base = url
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') page.complaints.push(message.text())
  })
  page.on('pageerror', (error) => page.complaints.push(String(error.stack ?? error)))
  page.on('request', (request) => {
    const { protocol, origin } = new URL(request.url())
    if (protocol.startsWith('http') && origin !== new URL(url).origin) page.foreign.push(request.url())
  })
  page.on('websocket', (socket) => {
    const line = ++page.line
    const frame = (up) => ({ payload }) => page.wire.push({ at: Date.now(), up, line, ...JSON.parse(String(payload)) })
    socket.on('framesent', frame(true))
    socket.on('framereceived', frame(false))
  })
  await page.addInitScript(() => {
    addEventListener('securitypolicyviolation', (event) => console.error(`violates ${event.violatedDirective}: ${event.blockedURI}`))
  })
  if (key) {
    await page.addInitScript((kept) => {
      if (location.protocol === 'about:') return
      for (const [what, value] of Object.entries(kept)) localStorage.getItem(what) ?? localStorage.setItem(what, JSON.stringify(value))
    }, { 'damso.key': key, 'damso.name': name })
  }
  if (init) await page.addInitScript(init)
  page.field = page.getByRole('textbox', { name: /^(메시지|Message)$/ })
  page.log = page.getByRole('log')
  page.say = async (text) => {
    await page.field.fill(text)
    if (options.isMobile) await page.getByRole('button', { name: /^(보내기|Send)$/ }).click() // Enter breaks the line there
    else await page.field.press('Enter')
  }
  await page.goto(`${url}/${at}`)
  assert.equal(await page.evaluate(() => isSecureContext), !isLan)
  try {
    if (!key && !context) {
      const asked = page.locator('input[name=name]')
      await asked.fill(name)
      await asked.press('Enter')
    }
    if (ready) await entered(page)
  } catch (error) {
    error.message += `\n${page.complaints.join('\n')}`
    throw error
  }
  return page
}

/** The server has said welcome and answered the room in view, and the field is there. */
export async function entered(page) {
  await page.field.waitFor()
  await until(() => page.wire.some(({ mode }) => mode), 'the room is open')
}

/** Loads the page again; `ready: false` waits for nothing. */
export async function reload(page, { ready = true } = {}) {
  page.wire.length = 0
  await page.reload()
  if (ready) await entered(page)
}

/** Opens the page, runs the test, and sees that nothing was complained about, but for what the test forgives. */
export async function withChat(url, options, run) {
  const page = await openChat(url, options)
  try {
    const result = await run(page)
    faultless(page, options.forgive)
    return result
  } finally {
    await (options.context ? page.close() : page.context().close())
  }
}

/** Nothing was complained about, and nobody else was asked for anything. */
export function faultless(page, forgive) {
  assert.deepEqual(page.complaints.filter((complaint) => !forgive?.test(complaint)), [])
  assert.deepEqual(page.foreign, [])
}

export async function until(holds, what = holds, within = SOON) {
  const deadline = Date.now() + within
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`did not come true: ${what}`)
    await new Promise((done) => setTimeout(done, 20))
  }
}

export const quiet = (ms = 400) => new Promise((done) => setTimeout(done, ms))

/** Runs in the page: the messages on screen, in order, each as it reads. */
export const reading = () =>
  [...document.querySelectorAll('[role=log] article')].map((article) => (article.querySelector('.text') ?? article.querySelector('p') ?? article).innerText.trim())

export const texts = (page) => page.evaluate(reading)

export const arrives = (page, text) => until(async () => (await texts(page)).includes(text), `“${text}” is on screen`)

/** The message that says `text`. */
export const message = (page, text) => page.log.getByRole('article').filter({ hasText: text }).last()

/** All that was said and changed here is durable, and the page has drawn it. What a line took with it is said on the next. */
export async function settled(page) {
  await until(() => {
    const now = page.wire.filter(({ line }) => line === page.line)
    const answered = new Set(now.filter(({ up, t }) => !up && (t === 'ok' || t === 'err')).map(({ id }) => id))
    return now.every(({ up, t, id }) => !up || !['send', 'change', 'open', 'history', 'read'].includes(t) || answered.has(id))
  }, 'the server has answered everything')
  await until(async () => !(await page.log.locator('.pending').count()), 'nothing waits to be sent')
  await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))))
}

/** How far the log is from its end, in px. */
export const fromEnd = (page) => page.log.evaluate(({ scrollHeight, scrollTop, clientHeight }) => scrollHeight - scrollTop - clientHeight)

/** Keeps a picture, if SCREENSHOTS says where. */
export async function shot(page, name, options = {}) {
  if (!SCREENSHOTS) return
  await mkdir(SCREENSHOTS, { recursive: true })
  await page.screenshot({ path: join(SCREENSHOTS, `${name}.png`), ...options })
}
