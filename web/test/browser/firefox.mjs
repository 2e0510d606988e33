/** The main paths in Firefox, beside a Chromium: `DAMSO_BIN=path/to/damso node --test test/browser/firefox.mjs`. FIREFOX is its program. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startDamso } from '../lib/damso.mjs'
import { startFirefox } from '../lib/firefox.mjs'
import { arrives, closeBrowser, message, openChat, reading, until } from '../lib/page.mjs'

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

test('what one said is changed with the arrow up', async () => {
  await field()
  await page.press('ArrowUp')
  await until(async () => (await page.ask('document.activeElement.value')) === '안녕하세요')
  await page.type(', 여러분')
  await page.press('Enter')
  await arrives(other, '안녕하세요, 여러분')
})

test('a reaction comes, and is joined', async () => {
  const said = message(other, '여러분')
  await said.hover()
  await said.getByRole('button', { name: 'More' }).click()
  await said.getByRole('button', { name: '👍' }).click()
  await has('.reactions button', '👍')
  await page.click('.reactions button')
  await has('.reactions button', '2')
  await until(async () => /2/.test(await said.getByRole('button', { name: /👍/ }).innerText()), 'there too')
})

test('loading again keeps who one is, and the conversation', async () => {
  await page.reload()
  await has('[role=log] article', 'Hello there')
  await has('nav', '민수')
})

test('the switcher opens by Ctrl+K, and finds what was typed in the other layout', async () => {
  await field()
  await page.press('Control+k')
  await has('dialog [role=option]', 'lobby')
  await page.type('fhql')
  await has('dialog', '로비')
  await page.press('Escape')
  await until(() => page.ask(`!document.querySelector('dialog[open]')`))
})

test('a search finds what was said', async () => {
  await page.ask('document.activeElement.blur()')
  await page.press('/')
  await has('aside')
  await until(() => page.ask(`document.activeElement.matches('aside input')`))
  await page.type('여러분')
  await page.press('Enter')
  await has('aside mark', '여러분')
})

test('nobody complained', () => assert.deepEqual(page.complaints, []))
