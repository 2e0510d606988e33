/** Never lose a word: `DAMSO_BIN=path/to/damso node --test test/browser/keep.mjs`; more in ../lib/page.mjs. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startDamso } from '../lib/damso.mjs'
import { AWAY, arrives, closeBrowser, faultless, newKey, openChat, quiet, reload, settled, texts, until, withChat } from '../lib/page.mjs'
import { proxy } from '../lib/proxy.mjs'

let damso, line

before(async () => {
  damso = await startDamso({ lifted: true })
  line = await proxy(damso.url)
})

after(async () => {
  await closeBrowser()
  await line?.close()
  await damso?.stop()
})

/** What somebody sees who comes new: the truth. */
const truth = async (url = damso.url) => {
  const page = await openChat(url, { name: `witness ${newKey().slice(0, 6)}` })
  await settled(page)
  const seen = await texts(page)
  await page.context().close()
  return seen
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
