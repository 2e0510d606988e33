/** The main paths in Firefox, beside a Chromium: `DAMSO_BIN=path/to/damso node --test test/browser/firefox.mjs`. FIREFOX is its program. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startDamso } from '../lib/damso.mjs'
import { startFirefox } from '../lib/firefox.mjs'
import { arrives, closeBrowser, openChat, reading, until } from '../lib/page.mjs'

let damso
let firefox
let page // one after the other, the tests go on from where the last one was
let other // in Chromium

before(async () => {
  damso = await startDamso({ lifted: true })
  firefox = await startFirefox()
  other = await openChat(damso.url, { name: 'Ada', locale: 'en-GB' })
  page = await firefox.open(damso.url)
})

after(async () => {
  await Promise.all([firefox?.close(), closeBrowser(), damso?.stop()])
})

const has = (selector, text = '') =>
  until(
    () => page.ask(`[...document.querySelectorAll(${JSON.stringify(selector)})].some((node) => node.innerText.includes(${JSON.stringify(text)}))`),
    `${selector} with “${text}”`,
  )
const texts = () => page.ask(`(${reading})()`)
const field = () => page.ask(`document.querySelector('.composer textarea').focus()`)
const say = async (text) => {
  await field()
  await page.type(text)
  await page.press('Enter')
}

test('a name, and one is in', async () => {
  await has('input[name=name]')
  assert.equal(await page.ask('document.documentElement.lang'), 'ko')
  await page.click('input[name=name]')
  await page.type('민수')
  await page.press('Enter')
  await has('.composer textarea')
})

test('Korean goes there, English comes back', async () => {
  await say('안녕하세요')
  await arrives(other, '안녕하세요')
  await other.say('Hello there')
  await has('[role=log] article', 'Hello there')
  assert.deepEqual(await texts(), ['안녕하세요', 'Hello there'])
})

test('nobody complained', () => assert.deepEqual(page.complaints, []))
