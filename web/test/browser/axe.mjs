/** Every screen as axe-core sees it, by day and by night, wide and narrow; more in ../lib/page.mjs. */
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { after, before, test } from 'node:test'
import { bot } from '../lib/bot.mjs'
import { startDamso } from '../lib/damso.mjs'
import { everything } from '../lib/everything.mjs'
import { show } from '../lib/model.mjs'
import { DESKTOP, PHONE, closeBrowser, openChat, shot, until, withChat } from '../lib/page.mjs'

// As an init script it is there in spite of the page's policy.
const init = { path: createRequire(import.meta.url).resolve('axe-core/axe.min.js') }

let damso
let bots
let rooms

before(async () => {
  damso = await startDamso({ lifted: true })
  bots = await Promise.all(['민수', '지원', 'Ada', '하은'].map((name) => bot(damso.url, name)))
  rooms = await everything(bots)
})

after(async () => {
  await closeBrowser()
  for (const each of bots ?? []) each.close()
  await damso?.stop()
})

const LOOKS = [
  { name: 'ko-light-1280', locale: 'ko-KR', theme: 'light', ...DESKTOP },
  { name: 'en-dark-1280', locale: 'en-GB', theme: 'dark', ...DESKTOP },
  { name: 'en-light-390', locale: 'en-GB', theme: 'light', ...PHONE },
  { name: 'ko-dark-390', locale: 'ko-KR', theme: 'dark', ...PHONE },
]

const dialog = (name) => async (page) => {
  await show(page, { dialog: name })
  await page.locator('dialog[open]').waitFor()
}
const pane = (name, more) => async (page) => {
  await show(page, { pane: name })
  const aside = page.locator('aside')
  await aside.waitFor()
  await page.getByRole('status').filter({ hasText: /^(불러오고|Loading)/ }).waitFor({ state: 'hidden' })
  await more?.(aside, page)
}

/** What is opened in the room that has everything. */
const SCREENS = {
  conversation: async () => {},
  rooms: (page) => show(page, { side: 'rooms' }),
  reply: (page) => show(page, { reply: { [rooms.room]: rooms.plan } }),
  members: pane('members', async (aside) => {
    await aside.getByRole('button', { expanded: false }).last().click()
    await aside.locator('.deeds .danger').click()
  }),
  invite: pane('members', (aside) => aside.getByRole('button', { expanded: false }).first().click()),
  'room settings': pane('settings', async (aside) => {
    await aside.locator('.hooks li').first().waitFor()
    await aside.locator('.last .button').last().click()
  }),
}

/** → what axe-core has to say against the page, one line each */
async function violations(page) {
  const { violations } = await page.evaluate(() => axe.run(document, { resultTypes: ['violations'] }))
  return violations.flatMap(({ id, help, nodes }) => nodes.map(({ target, any }) => `${id} (${help}) at ${target}: ${any[0]?.message ?? ''}`))
}

for (const { name, ...look } of LOOKS) {
  test(`nobody is left out of the first page, ${name}`, async () => {
    const page = await openChat(damso.url, { ...look, init, reducedMotion: 'reduce', name: 'Ada', ready: false })
    await page.getByRole('alert').filter({ hasText: /\S/ }).waitFor()
    await shot(page, `axe-taken-${name}`)
    assert.deepEqual(await violations(page), [], 'the name is taken')
    await page.evaluate(() => localStorage.clear())
    await page.reload()
    await page.locator('input[name=name]').waitFor()
    assert.deepEqual(await violations(page), [], 'the first question')
    await page.context().close()
  })

  test(`nobody is left out of the chat, ${name}`, () =>
    withChat(damso.url, { ...look, init, reducedMotion: 'reduce', key: bots[0].key, at: `#/${rooms.room}` }, async (page) => {
      const found = {}
      const check = async (screen) => {
        const said = await violations(page)
        if (said.length) found[screen] = said
        await shot(page, `axe-${screen.replaceAll(' ', '-')}-${name}`)
      }
      await until(() => page.log.getByRole('article').count(), 'the conversation')
      for (const [screen, open] of Object.entries(SCREENS)) {
        await open(page)
        await check(screen)
        await show(page, { dialog: null, pane: null, side: 'log', reply: {} })
        await page.locator('dialog').waitFor({ state: 'detached' })
      }
      for (const id of ['empty', 'direct']) {
        await page.evaluate((id) => (location.hash = `#/${id}`), rooms[id])
        await check(id)
      }
      assert.deepEqual(found, {})
    }))
}
