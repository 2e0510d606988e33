/** Never lose a word: `DAMSO_BIN=path/to/damso node --test test/browser/keep.mjs`; more in ../lib/page.mjs. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { bot } from '../lib/bot.mjs'
import { startDamso, withFolder } from '../lib/damso.mjs'
import { AWAY, arrives, closeBrowser, faultless, newKey, openChat, quiet, reload, settled, texts, until } from '../lib/page.mjs'
import { proxy } from '../lib/proxy.mjs'

let damso, line

before(async () => {
  damso = await startDamso({ lifted: true, console: true })
  line = await proxy(damso.url)
})

after(async () => {
  await closeBrowser()
  await line?.close()
  await damso?.stop()
})

/** What a server has: the truth. */
async function truth(url = damso.url) {
  const witness = await bot(url, `witness ${newKey().slice(0, 6)}`)
  const { messages } = await witness.api('GET', '/rooms/lobby/messages?limit=100')
  witness.close()
  return messages.map(({ text }) => text)
}

/** From now on the page, until it is loaded again, gets no connection. */
const deaf = (page) =>
  page.evaluate(() => {
    globalThis.WebSocket = class {
      constructor() {
        setTimeout(() => this.onclose({ code: 1006 }))
      }
      send() {}
      close() {}
    }
  })

const count = (all, prefix) => all.filter((text) => text.startsWith(prefix))
const numbered = (prefix, n) => Array.from({ length: n }, (_, i) => `${prefix} ${i + 1}`)

test('what was said without a network survives a reload, and is said once, in order', async () => {
  const page = await openChat(line.url, { name: '지우' })
  await deaf(page)
  line.cut()
  for (const text of numbered('reload', 3)) await page.say(text)
  await quiet(100)
  line.open()
  await reload(page, { ready: false })
  for (const text of numbered('reload', 3)) await arrives(page, text)
  await settled(page)
  assert.deepEqual(count(await texts(page), 'reload'), numbered('reload', 3))
  assert.deepEqual(count(await truth(), 'reload'), numbered('reload', 3))
  faultless(page, AWAY)
  await page.context().close()
})

/** Somebody says `n` things, one after the other, while `trouble` goes on. */
async function through(page, prefix, n, trouble) {
  const going = trouble()
  for (const text of numbered(prefix, n)) {
    await page.say(text)
    await quiet(30)
  }
  await going
  await arrives(page, `${prefix} ${n}`)
  await settled(page)
}

test('a network that is cut while sending loses nothing and doubles nothing', async () => {
  const page = await openChat(line.url, { name: '하준' })
  await through(page, 'cut', 20, async () => {
    for (let i = 0; i < 4; i++) {
      await quiet(250)
      line.cut()
      await quiet(150)
      line.open()
    }
  })
  for (const seen of [await texts(page), await truth()]) assert.deepEqual(count(seen, 'cut'), numbered('cut', 20))
  faultless(page, AWAY)
  await page.context().close()
})

test('a server that is killed while it is talked to, and started again, has all that was said, once', () =>
  withFolder(async (data) => {
    const start = (listen) => startDamso({ data, listen, lifted: true })
    let server = await start()
    const { host, url } = server
    try {
      const page = await openChat(url, { name: '서연' })
      await through(page, 'killed', 20, async () => {
        for (let i = 0; i < 2; i++) {
          await quiet(300)
          await server.stop('SIGKILL')
          await quiet(200)
          server = await start(host)
        }
      })
      for (const seen of [await texts(page), await truth(url)]) assert.deepEqual(count(seen, 'killed'), numbered('killed', 20))
      faultless(page, AWAY)
      await page.context().close()
    } finally {
      await server.stop()
    }
  }))

test('a tab that slept for an hour shows what was said meanwhile, and says what it had to say', async () => {
  const page = await openChat(line.url, { name: '예준', ready: false })
  await page.field.waitFor()
  await page.clock.install()
  const other = await openChat(damso.url, { name: '수아' })
  line.hold()
  for (const text of numbered('asleep', 2)) await page.say(text)
  for (const text of numbered('awake', 3)) await other.say(text)
  await settled(other)
  await page.clock.fastForward('01:00:00') // it leaves the line, which is dead without a word
  line.open() // what it had sent arrives after all, and it comes back
  await page.clock.resume()
  await page.clock.fastForward(40_000) // its next attempt
  await arrives(page, 'awake 3')
  await arrives(other, 'asleep 2')
  await settled(page)
  assert.deepEqual(count(await texts(page), 'awake'), numbered('awake', 3))
  for (const seen of [await texts(page), await truth()]) assert.deepEqual(count(seen, 'asleep'), numbered('asleep', 2))
  await other.context().close()
  await page.context().close()
})

test('two tabs of one person agree on what is on its way, and it is said once', async () => {
  const one = await openChat(line.url, { name: '지호' })
  const two = await openChat(line.url, { context: one.context() })
  await deaf(one)
  await deaf(two)
  line.cut()
  await one.say('tabs 1')
  await two.say('tabs 2')
  // Each shows what the other waits to send.
  for (const tab of [one, two]) for (const text of numbered('tabs', 2)) await arrives(tab, text)
  line.open()
  await reload(one, { ready: false }) // it can connect again, and leaves the other's to the other
  await arrives(one, 'tabs 1')
  await until(async () => (await truth()).includes('tabs 1'), 'tabs 1 is said')
  assert.deepEqual(count(await truth(), 'tabs'), ['tabs 1'])
  assert.deepEqual(count(await texts(one), 'tabs'), numbered('tabs', 2))
  await two.close() // what it had to say is sent by the other
  await until(async () => (await truth()).includes('tabs 2'), 'tabs 2 is said')
  await settled(one)
  for (const seen of [await texts(one), await truth()]) assert.deepEqual(count(seen, 'tabs'), numbered('tabs', 2))
  faultless(one, AWAY)
  await one.context().close()
})

test('a page that crashes loses nothing', async () => {
  const page = await openChat(line.url, { name: '은우' })
  const context = page.context()
  await deaf(page)
  line.cut()
  for (const text of numbered('crash', 3)) await page.say(text)
  await quiet(200)
  const gone = new Promise((done) => page.on('crash', done))
  page.goto('chrome://crash').catch(() => {})
  await gone
  line.open()
  const next = await openChat(line.url, { context })
  await arrives(next, 'crash 3')
  await settled(next)
  for (const seen of [await texts(next), await truth()]) assert.deepEqual(count(seen, 'crash'), numbered('crash', 3))
  await context.close()
})

test('a reload shows the last screen without a network', async () => {
  const page = await openChat(line.url, { name: '시우' })
  await page.say('the last screen')
  await settled(page)
  await quiet(1500) // it is written down a second later
  await page.context().routeWebSocket(/./, (socket) => socket.close())
  await reload(page, { ready: false })
  await arrives(page, 'the last screen')
  await page.context().close()
})

test('what was refused is still there after a reload, until its author has taken note', async () => {
  const page = await openChat(line.url, { name: '하윤' })
  damso.type('/mute 하윤')
  await quiet()
  await page.say('refused 1')
  const failed = page.locator('.failed')
  await failed.waitFor()
  await reload(page)
  await failed.waitFor()
  assert.match(await failed.innerText(), /refused 1/)
  damso.type('/mute 하윤 0')
  await quiet()
  await failed.getByRole('button').first().click() // again
  await arrives(page, 'refused 1')
  await settled(page)
  await reload(page)
  assert.deepEqual(count(await texts(page), 'refused'), ['refused 1'])
  assert.deepEqual(count(await truth(), 'refused'), ['refused 1'])
  assert.equal(await failed.count(), 0)
  await page.context().close()
})
