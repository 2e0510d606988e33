/** What people type comes out as text, wherever it is shown; more in ../lib/page.mjs. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, test } from 'node:test'
import { bot } from '../lib/bot.mjs'
import { startDamso } from '../lib/damso.mjs'
import { isLan } from '../lib/host.mjs'
import { inert, watchScripts } from '../lib/inert.mjs'
import { show } from '../lib/model.mjs'
import { closeBrowser, entered, settled, shot, texts, until, withChat } from '../lib/page.mjs'

const CORPUS = JSON.parse(readFileSync(new URL('../fixtures/xss.json', import.meta.url), 'utf8')).map((text) => text.toWellFormed?.() ?? text)
/** Those in which nothing is Markdown, nor a link. */
const PLAIN = CORPUS.filter((text) => !/[*_`~[\]\\\n\0]|^\s*(>|[-+#|])|https?:|mailto:|www\.|&#?\w+;|\ud800|\ufffd/.test(text))

let damso
let minsu

before(async () => {
  damso = await startDamso({ lifted: true })
  minsu = await bot(damso.url, '민수')
})

after(async () => {
  await closeBrowser()
  minsu?.close()
  await damso?.stop()
})

/** Does what it can with each of the corpus. → those that the server accepted, and what came of them */
async function accepted(act) {
  const taken = []
  for (const text of CORPUS) {
    const result = await act(text).catch((error) => assert.match(error.message, /bad_field|too_big|not as it has to be|name|character/))
    if (result) taken.push([text, result])
  }
  return taken
}

/** A page of Minsu's, in which nothing may run. */
const asMinsu = (at, run) =>
  withChat(damso.url, { key: minsu.key, at, init: watchScripts }, async (page) => {
    page.on('dialog', (dialog) => page.complaints.push(`a dialog: ${dialog.message()}`))
    await run(page)
    await inert(page)
  })

/** Goes through a room's whole log, so that every message was on the page; `look` sees each part. */
async function throughout(page, look) {
  for (let before = -1, top = await page.log.evaluate((log) => log.scrollTop); top !== before; ) {
    await look()
    before = top
    top = await page.log.evaluate((log) => ((log.scrollTop -= log.clientHeight * 0.8), log.scrollTop))
    await settled(page)
  }
  await look()
}

test('texts, quotes of them and their search hits come out as text', async () => {
  const room = await minsu.room('말')
  const said = await accepted((text) => minsu.say(text, { room }))
  assert.ok(said.length > CORPUS.length - 5, `${said.length} of ${CORPUS.length} texts were accepted`)
  for (const [, m] of said.slice(0, 40)) await minsu.say('답장', { room, reply: m })
  await minsu.api('PUT', `/rooms/${room}/messages/${said[0][1]}/pin`)
  await asMinsu(`#/${room}`, async (page) => {
    const seen = new Set()
    await throughout(page, async () => {
      for (const text of await texts(page)) seen.add(text)
      await inert(page)
    })
    for (const text of PLAIN) assert.ok([...seen].some((each) => each.startsWith(text)), `${text} is on the page as it was typed`)
    await shot(page, 'xss-texts')
    for (const [text, m] of said.slice(0, 12)) {
      await show(page, { reply: { [room]: m } })
      await page.locator('.composer').getByText(text, { exact: false }).first().waitFor()
    }
    await inert(page)
    await show(page, { pane: 'pins' })
    await page.locator('aside .text').getByText(said[0][0], { exact: true }).waitFor()
    await show(page, { pane: 'search' })
    await page.locator('aside input[type=search]').fill('alert')
    await page.locator('aside mark').nth(20).waitFor()
    const hits = await page.locator('aside li').allTextContents()
    assert.ok(hits.some((hit) => hit.includes(said[0][0])), 'a hit is what was typed')
    await shot(page, 'xss-search')
  })
})

test('names of people come out as text', async () => {
  const room = await minsu.room('이름')
  const named = await accepted((name) => bot(damso.url, name))
  assert.ok(named.length > 15, `${named.length} names were accepted`)
  for (const [, who] of named) {
    await minsu.api('PUT', `/rooms/${room}/members/${who.user}`)
    await who.say(`@${who.name}`, { room })
    await who.open(room)
  }
  await asMinsu(`#/${room}`, async (page) => {
    const seen = new Set()
    await throughout(page, async () => {
      for (const name of await page.log.locator('.byline .who').allTextContents()) seen.add(name)
      await inert(page)
    })
    await show(page, { pane: 'members' })
    await page.locator('aside .name').nth(named.length).waitFor()
    const listed = (await page.locator('aside .name').allTextContents()).map((name) => name.replace(/ 접속 중$/, ''))
    for (const [name, who] of named) {
      assert.ok(seen.has(name), `${name} stands over what they said`)
      assert.ok(listed.includes(name), `${name} is among the members`)
    }
    const [name, who] = named[0]
    who.ask({ t: 'typing', room }) // which nobody answers
    await page.locator('.writing').filter({ hasText: name }).waitFor()
    await shot(page, 'xss-names')
  })
  for (const [, who] of named) who.close()
})

test('what a notification says is what was typed', { skip: isLan && 'notifications are for secure contexts' }, async () => {
  const [name, text] = ['<b>Eve</b>', '<img src=x onerror=alert(1)>']
  const eve = await bot(damso.url, name)
  const room = await eve.room(undefined, { kind: 'direct', members: [minsu.user] })
  const init = () => {
    window.told = []
    window.Notification = class {
      static permission = 'granted'
      constructor(title, { body }) {
        window.told.push([title, body])
      }
    }
    ServiceWorkerRegistration.prototype.showNotification = async (title, { body }) => window.told.push([title, body])
    localStorage.setItem('damso.notify', 'true')
  }
  await asMinsu('#/lobby', async (page) => {
    await page.addInitScript(init)
    await page.reload()
    await entered(page)
    await page.waitForLoadState('networkidle') // what tells of messages is loaded after them
    await eve.say(text, { room })
    await until(() => page.evaluate(() => window.told.length), 'a notification')
    assert.deepEqual(await page.evaluate(() => window.told), [[name, text]])
  })
  eve.close()
})

test('names and topics of rooms come out as text', async () => {
  const named = await accepted((name) => minsu.room(name))
  const [, room] = named[0]
  const topics = (await accepted(async (topic) => (await minsu.api('PATCH', `/rooms/${room}`, { topic }), topic))).map(([topic]) => topic)
  assert.ok(named.length > 50 && topics.length > 50, `${named.length} names and ${topics.length} topics were accepted`)
  await asMinsu(`#/${room}`, async (page) => {
    await until(async () => (await page.locator('nav li').count()) > named.length, 'the rooms are listed')
    const listed = (await page.locator('nav li').allTextContents()).map((name) => name.trim())
    for (const [name] of named) assert.ok(listed.some((each) => each.startsWith(name)), `${name} is among the rooms`)
    for (const topic of topics) {
      await minsu.api('PATCH', `/rooms/${room}`, { topic })
      await until(async () => (await page.locator('.topic').textContent()) === topic, `${topic} is the topic`)
      await inert(page)
    }
    for (const [name, room] of named.slice(0, 10)) {
      await page.evaluate((hash) => (location.hash = hash), `#/${room}`)
      await until(async () => (await page.title()).includes(name), `${name} is in the title`)
      await inert(page)
    }
    await show(page, { pane: 'settings' })
    await page.locator('aside input[name=name]').first().waitFor()
    await inert(page)
    await show(page, { dialog: 'switcher' })
    await page.locator('dialog input').fill('script')
    await page.locator('dialog').getByText(named[0][0], { exact: true }).first().waitFor()
    await shot(page, 'xss-rooms')
  })
})
