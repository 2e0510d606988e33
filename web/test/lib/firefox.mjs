import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import WebSocket from 'ws'

const { FIREFOX = 'firefox-esr' } = process.env
const START = 30_000 // ms until it listens
const PREFS = {
  'app.normandy.enabled': false,
  'app.update.disabledForTesting': true,
  'browser.aboutwelcome.enabled': false,
  'browser.safebrowsing.update.enabled': false,
  'browser.shell.checkDefaultBrowser': false,
  'browser.startup.page': 0,
  'datareporting.policy.dataSubmissionEnabled': false,
  'extensions.systemAddon.update.enabled': false,
  'network.captive-portal-service.enabled': false,
  'network.connectivity-service.enabled': false,
  'remote.active-protocols': 1, // WebDriver BiDi alone
  'services.settings.server': 'data:,', // asks nobody for lists
  'toolkit.telemetry.reportingpolicy.firstRun': false,
}
/** What WebDriver calls keys that make no character. */
export const KEYS = { Enter: '\uE007', Escape: '\uE00C', ArrowUp: '\uE013', ArrowDown: '\uE015', Control: '\uE009', Shift: '\uE008', Alt: '\uE00A', Backspace: '\uE003' }

/** Starts a Firefox with a fresh profile, and drives it by WebDriver BiDi, which it speaks itself. */
export async function startFirefox({ languages = 'ko-KR, ko' } = {}) {
  const profile = await mkdtemp(join(tmpdir(), 'damso-firefox-'))
  const prefs = Object.entries({ ...PREFS, 'intl.accept_languages': languages })
  await writeFile(join(profile, 'user.js'), prefs.map(([name, value]) => `user_pref(${JSON.stringify(name)}, ${JSON.stringify(value)});`).join('\n'))
  const child = spawn(FIREFOX, ['--headless', '--no-remote', '--profile', profile, '--remote-debugging-port', '0'], { stdio: ['ignore', 'ignore', 'pipe'] })
  const ended = once(child, 'exit')
  const end = async () => {
    child.kill('SIGKILL')
    await ended
    await rm(profile, { recursive: true, force: true, maxRetries: 5 })
  }
  try {
    return await driver(await listening(child), end)
  } catch (error) {
    await end()
    throw error
  }
}

function listening(child) {
  let said = ''
  return new Promise((resolve, reject) => {
    const fail = (why) => reject(new Error(`Firefox ${why}; it said: ${said}`))
    setTimeout(fail, START, 'did not say where it listens').unref()
    child.once('error', ({ message }) => fail(message))
    child.once('exit', (code, signal) => fail(`ended with ${code ?? signal}`))
    createInterface(child.stderr).on('line', (line) => {
      said += `${line}\n`
      const found = /WebDriver BiDi listening on (ws:\S+)/.exec(line)
      if (found) resolve(`${found[1]}/session`)
    })
  })
}

async function driver(url, end) {
  const socket = new WebSocket(url, { perMessageDeflate: false })
  await once(socket, 'open')
  const waiting = new Map()
  const pages = new Map()
  let id = 0
  socket.on('message', (data) => {
    const { type, method, params, id, result, error, message } = JSON.parse(data)
    if (type === 'event') {
      const { level, text, source } = params
      if (method === 'log.entryAdded' && level !== 'info' && level !== 'debug') pages.get(source.context)?.complaints.push(text)
      return
    }
    const { done, fail } = waiting.get(id)
    waiting.delete(id)
    type === 'error' ? fail(new Error(`${error}: ${message}`)) : done(result)
  })
  const send = (method, params = {}) =>
    new Promise((done, fail) => {
      waiting.set(++id, { done, fail })
      socket.send(JSON.stringify({ id, method, params }))
    })

  await send('session.new', { capabilities: {} })
  await send('session.subscribe', { events: ['log.entryAdded'] })

  return {
    async open(url) {
      const { context } = await send('browsingContext.create', { type: 'tab' })
      const page = { complaints: [], ...hands(send, context) }
      pages.set(context, page)
      await page.go(url)
      return page
    },
    async close() {
      socket.terminate()
      await end()
    },
  }
}

/** What may be done to a page. */
function hands(send, context) {
  const perform = (actions) => send('input.performActions', { context, actions: [{ type: 'key', id: 'keyboard', actions }] })
  const down = (value) => ({ type: 'keyDown', value: KEYS[value] ?? value })
  const up = (value) => ({ type: 'keyUp', value: KEYS[value] ?? value })
  return {
    go: (url) => send('browsingContext.navigate', { context, url, wait: 'complete' }),
    reload: () => send('browsingContext.reload', { context, wait: 'complete' }),
    show: () => send('browsingContext.activate', { context }),
    /** The value of an expression, or of a promise of it: anything that JSON can say. */
    async ask(expression) {
      const { result, exceptionDetails } = await send('script.evaluate', {
        expression: `Promise.resolve(${expression}).then((value) => JSON.stringify(value))`,
        target: { context },
        awaitPromise: true,
      })
      if (exceptionDetails) throw new Error(`${expression}: ${exceptionDetails.text}`)
      return result.value && JSON.parse(result.value)
    },
    type: (text) => perform([...text].flatMap((key) => [down(key), up(key)])),
    /** `Control+k` */
    async press(keys) {
      const all = keys.split('+')
      await perform([...all.map(down), ...all.reverse().map(up)])
    },
    async click(selector) {
      const [{ sharedId }] = (await send('browsingContext.locateNodes', { context, locator: { type: 'css', value: selector } })).nodes
      const origin = { type: 'element', element: { sharedId } }
      const actions = [{ type: 'pointerMove', x: 0, y: 0, origin }, { type: 'pointerDown', button: 0 }, { type: 'pointerUp', button: 0 }]
      await send('input.performActions', { context, actions: [{ type: 'pointer', id: 'mouse', actions }] })
    },
    async picture() {
      return Buffer.from((await send('browsingContext.captureScreenshot', { context })).data, 'base64')
    },
  }
}
