import { show } from './model.mjs'
import { arrives, message, until } from './page.mjs'

const dialog = (name, more) => async (page, house) => {
  await show(page, { dialog: name })
  await page.locator('dialog[open]').waitFor()
  await more?.(page, house)
}

const pane = (name, more) => async (page, house) => {
  await show(page, { pane: name, ...(page.viewportSize().width < 720 && { side: 'pane' }) })
  await page.locator('aside').waitFor()
  await more?.(page, house)
}

const go = (page, room) => page.evaluate((id) => (location.hash = `#/${id}`), room)

/**
 * Every screen of somebody who is in, as `[name, how to come there]`, to be run one after the other with a page that is
 * in the main room of a house; `home` leads back.
 */
export const SCREENS = Object.entries({
  talk: async () => {},
  code: async (page, { said }) => {
    await page.log.locator(`[data-m="${said.code}"]`).scrollIntoViewIfNeeded()
    await page.log.locator(`[data-m="${said.list}"]`).scrollIntoViewIfNeeded()
  },
  rooms: (page) => page.viewportSize().width < 720 && show(page, { side: 'rooms' }),
  actions: async (page, { said }) => {
    const row = page.log.locator(`[data-m="${said.pinned}"]`)
    await row.scrollIntoViewIfNeeded()
    await row.hover()
    await row.getByRole('button', { name: /^(더 보기|More)$/ }).click()
  },
  reply: (page, { said, rooms }) => show(page, { reply: { [rooms.main]: said.code } }),
  edit: (page, { said, rooms }) => show(page, { editing: { room: rooms.main, m: said.pinned } }),
  mention: async (page) => {
    await page.field.fill('')
    await page.field.pressSequentially('@')
    await page.getByRole('option').first().waitFor()
  },
  emoji: async (page) => {
    await page.field.fill('')
    await page.getByRole('button', { name: /^(이모지|Emoji)$/ }).click()
    await page.locator('.glyphs [data-group]').nth(1).waitFor()
  },
  switcher: dialog('switcher'),
  consonants: dialog('switcher', (page) => page.getByRole('combobox').fill('ㅈㅅ')),
  'new-room': dialog('new-room'),
  date: dialog('date'),
  keys: dialog('keys'),
  settings: dialog('settings'),
  phone: dialog('phone', (page) => page.locator('dialog svg').last().waitFor()),
  search: pane('search', async (page) => {
    await page.locator('aside input').first().fill('readn')
    await page.keyboard.press('Enter')
    await page.locator('aside mark').first().waitFor()
  }),
  members: pane('members'),
  pins: pane('pins', (page) => page.locator('aside article, aside li').first().waitFor()),
  'room-settings': pane('settings'),
  direct: (page, { rooms }) => go(page, rooms.direct),
  announcement: (page, { rooms }) => go(page, rooms.announcement),
  empty: (page, { rooms }) => go(page, rooms.private),
})

/** Back to the main room, with nothing open. */
export async function home(page, { rooms, said }) {
  await show(page, { dialog: null, pane: null, side: 'log', reply: {}, editing: null, target: null })
  await page.locator('dialog').waitFor({ state: 'detached' })
  await page.keyboard.press('Escape')
  await page.mouse.move(0, 0)
  await go(page, rooms.main)
  await page.log.locator(`[data-m="${said.pinned}"]`).waitFor()
  await page.field.fill('')
  await page.log.evaluate((log) => (log.scrollTop = log.scrollHeight))
}

/** What can only be seen in bad times: a network that is gone, and messages that aren't sent, or were refused. */
export async function badTimes(page, { lang, network, operator, name }, keep) {
  const [waits, refused] = lang === 'ko' ? ['이 글은 아직 가는 중이에요', '이 글은 거절될 거예요'] : ['This one is on its way', 'This one will be refused']
  network.cut()
  await page.say(waits)
  await arrives(page, waits)
  await until(async () => (await page.locator('.banner').allInnerTexts()).some((text) => text.trim()), 'the banner says so')
  await keep('lost')
  operator(`/mute ${name} 10`)
  await page.say(refused)
  network.open()
  await page.evaluate(() => dispatchEvent(new Event('online')))
  await page.getByRole('button', { name: /^(다시 보내기|Try again)$/ }).first().waitFor()
  await message(page, waits).count()
  await keep('refused')
  operator(`/mute ${name} 0`)
}
