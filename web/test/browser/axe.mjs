/** Every screen as axe-core sees it, by day and by night, wide and narrow; more in ../lib/page.mjs. */
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { after, before, test } from 'node:test'
import { startDamso } from '../lib/damso.mjs'
import { furnish } from '../lib/house.mjs'
import { show } from '../lib/model.mjs'
import { DESKTOP, PHONE, closeBrowser, openChat, shot, until, withChat } from '../lib/page.mjs'

// As an init script it is there in spite of the page's policy.
const init = { path: createRequire(import.meta.url).resolve('axe-core/axe.min.js') }

let damso
let house
let own

before(async () => {
  damso = await startDamso({ lifted: true })
  house = await furnish(damso.url, 'ko')
  const { me, others } = house
  own = await me.room('새 모임', { kind: 'private', members: [others[0].user, others[1].user] })
  await me.api('PATCH', `/rooms/${own}`, { topic: '화요일마다 12시 반, 1층에서 만나요' })
  await me.api('POST', `/rooms/${own}/hooks`, { name: '점심봇' })
})

after(async () => {
  await closeBrowser()
  house?.close()
  await damso?.stop()
})

const LOOKS = [
  { name: 'ko-light-1280', locale: 'ko-KR', theme: 'light', ...DESKTOP },
  { name: 'ko-dark-1280', locale: 'ko-KR', theme: 'dark', ...DESKTOP },
  { name: 'en-light-390', locale: 'en-GB', theme: 'light', ...PHONE },
  { name: 'en-dark-390', locale: 'en-GB', theme: 'dark', ...PHONE },
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

const go = async (page, room) => {
  await page.evaluate((hash) => (location.hash = hash), `#/${room}`)
  await until(async () => (await page.title()).includes(' · '), 'the room is in the title')
}

/** What is opened, in the order of a visit that begins in the room where all is said. */
const SCREENS = {
  conversation: async (page) => page.log.getByRole('article').last().waitFor(),
  rooms: (page) => show(page, { side: 'rooms' }),
  reply: (page) => show(page, { reply: { [house.rooms.main]: house.said.list } }),
  'message menu': async (page) => {
    await page.log.getByRole('article').last().focus()
    await page.log.getByRole('toolbar').getByRole('button').last().click()
    await page.log.locator('.menu').waitFor()
  },
  suggestions: async (page) => {
    await page.keyboard.press('Escape') // the menu lies over the field on a phone
    await page.field.pressSequentially('@')
    await page.getByRole('listbox').waitFor()
  },
  'emoji picker': async (page) => {
    await page.field.fill('')
    await page.locator('.composer .icon-button[aria-expanded]').click()
    await page.locator('.composer .popover').waitFor()
  },
  switcher: dialog('switcher'),
  settings: dialog('settings'),
  phone: dialog('phone'),
  keys: dialog('keys'),
  'new room': dialog('new-room'),
  date: dialog('date'),
  search: pane('search', async (aside) => {
    await aside.locator('input').first().fill('회의')
    await aside.locator('mark').first().waitFor()
  }),
  pins: pane('pins', (aside) => aside.locator('.text').first().waitFor()),
  direct: (page) => go(page, house.rooms.direct),
  announcement: (page) => go(page, house.rooms.announcement),
  empty: (page) => go(page, own),
  'no pins': pane('pins', (aside) => aside.locator('.empty').waitFor()),
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

// The usual run sees each language, theme and width once, and has its pictures from pictures.mjs.
const isFull = process.env.WEB_SIZE === 'full'
const looks = isFull ? LOOKS : [LOOKS[0], LOOKS.at(-1)]
const keep = (page, name) => (isFull ? shot(page, name) : undefined)

for (const { name, ...look } of looks) {
  test(`nobody is left out of the first page, ${name}`, async () => {
    const page = await openChat(damso.url, { ...look, init, reducedMotion: 'reduce', name: 'Ada', ready: false })
    await page.getByRole('alert').filter({ hasText: /\S/ }).waitFor()
    await keep(page, `axe-taken-${name}`)
    assert.deepEqual(await violations(page), [], 'the name is taken')
    await page.evaluate(() => localStorage.clear())
    await page.reload()
    await page.locator('input[name=name]').waitFor()
    assert.deepEqual(await violations(page), [], 'the first question')
    await page.context().close()
  })

  test(`nobody is left out of the chat, ${name}`, () =>
    withChat(damso.url, { ...look, init, reducedMotion: 'reduce', key: house.key, at: `#/${house.rooms.main}` }, async (page) => {
      const found = {}
      const check = async (screen) => {
        const said = await violations(page)
        if (said.length) found[screen] = said
        await keep(page, `axe-${screen.replaceAll(' ', '-')}-${name}`)
      }
      for (const [screen, open] of Object.entries(SCREENS)) {
        await open(page)
        await check(screen)
        await show(page, { dialog: null, pane: null, side: 'log', reply: {} })
        await page.locator('dialog').waitFor({ state: 'detached' })
      }
      assert.deepEqual(found, {})
    }))
}
