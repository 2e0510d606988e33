/** Writing: `DAMSO_BIN=path/to/damso node --test test/browser/composer.mjs`; more in ../lib/page.mjs. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { bot } from '../lib/bot.mjs'
import { startDamso } from '../lib/damso.mjs'
import { ime } from '../lib/ime.mjs'
import { PHONE, arrives, closeBrowser, message, newKey, openChat, quiet, reload, settled, shot, texts, until, withChat } from '../lib/page.mjs'

let damso

before(async () => {
  damso = await startDamso({ lifted: true })
})

after(async () => {
  await closeBrowser()
  await damso?.stop()
})

const TEXTS = { send: 'text', change: 'text' }
let people = 0

/** Somebody new, in a room where 지원 and 박지훈 are too; it is theirs, or 지원's. */
async function withRoom(run, { owns = true, ...options } = {}) {
  const [n, key] = [++people, newKey()]
  const me = await bot(damso.url, `민수${n}`, key)
  const others = await Promise.all([`지원${n}`, `박지훈${n}`].map((name) => bot(damso.url, name)))
  const room = await (owns ? me : others[0]).room(`점심 ${n}`)
  for (const each of [me, ...others]) await each.api('PUT', `/rooms/${room}/members/${each.user}`)
  me.close()
  try {
    await withChat(damso.url, { name: me.name, key, at: `#/${room}`, ...options }, (page) => {
      const go = (to) => page.evaluate((to) => (location.hash = `#/${to}`), to)
      return run(page, { room, others, n, me, go })
    })
  } finally {
    for (const each of others) each.close()
  }
}

const said = (page, t = 'send') => page.wire.filter((frame) => frame.up && frame.t === t).map((frame) => frame[TEXTS[t]])
const value = (page) => page.locator('.box textarea').inputValue()
const options = (page) => page.getByRole('option').locator('.label').allTextContents()

/** The orders in which one Enter arrives while the last syllable is composed; PRODUCT 2.4. */
const ORDERS = {
  A: async (hands, last) => {
    await hands.taken()
    await hands.commit(last)
    await hands.up()
  },
  B: async (hands, last) => {
    await hands.taken()
    await hands.commit(last)
    await hands.down()
    await hands.up()
  },
  'B without a pause': (hands, last) => Promise.all([hands.taken(), hands.commit(last), hands.down(), hands.up()]),
  C: async (hands, last) => {
    await Promise.all([hands.commit(last), hands.taken()])
    await hands.up()
  },
  D: async (hands, last) => {
    await hands.taken({ key: 'Process' })
    await hands.commit(last)
    await hands.up()
  },
}

describe('one Enter while Hangul is composed', () => {
  for (const [order, press] of Object.entries(ORDERS)) {
    test(`${order}: sends once, saves once, chooses once`, () =>
      withRoom(async (page, { n }) => {
        const hands = await ime(page)
        await page.field.focus()
        await hands.hangul('안녕하세요')
        await press(hands, '요')
        await until(() => said(page).length)
        await quiet()
        assert.deepEqual([said(page), await value(page)], [['안녕하세요'], ''])

        await settled(page)
        await page.keyboard.press('ArrowUp')
        await until(async () => (await value(page)) === '안녕하세요')
        await page.keyboard.press('Control+A')
        await hands.hangul('반가워요')
        await press(hands, '요')
        await until(() => said(page, 'change').length)
        await quiet()
        assert.deepEqual([said(page), said(page, 'change'), await value(page)], [['안녕하세요'], ['반가워요'], ''])

        await page.keyboard.type('네 @')
        await hands.hangul('지')
        await until(async () => (await options(page)).length === 2)
        await press(hands, '지')
        await until(async () => (await value(page)).includes('지원'))
        await quiet()
        assert.deepEqual([said(page), await value(page)], [['안녕하세요'], `네 @지원${n} `])
        await page.keyboard.press('Enter')
        await until(() => said(page).length === 2)
        await quiet()
        assert.deepEqual([said(page).at(-1), await value(page)], [`네 @지원${n}`, ''])
      }))
  }

  test('the Enter that saves doesn’t send the draft which comes back', () =>
    withRoom(async (page) => {
      const hands = await ime(page)
      for (const [n, press] of Object.values(ORDERS).entries()) {
        await page.say(`하나 ${n}`)
        await settled(page)
        await page.field.fill('쓰던 글')
        await message(page, `하나 ${n}`).focus()
        await page.keyboard.press('e')
        await until(async () => (await value(page)) === `하나 ${n}`)
        await page.keyboard.press('Control+A')
        await hands.hangul('둘')
        await press(hands, '둘')
        await until(() => said(page, 'change').length === n + 1)
        await quiet()
        assert.deepEqual([said(page).length, said(page, 'change').at(-1), await value(page)], [n + 1, '둘', '쓰던 글'])
        await page.field.fill('')
      }
    }))

  test('a candidate for Hanja neither sends nor saves', () =>
    withRoom(async (page) => {
      const hands = await ime(page)
      await page.field.focus()
      await hands.hangul('대한')
      await hands.taken()
      await hands.commit('韓')
      await hands.up()
      await quiet()
      assert.deepEqual([said(page), await value(page)], [[], '대韓'])
      await hands.down()
      await hands.up()
      await until(() => said(page).length)
      await quiet()
      assert.deepEqual(said(page), ['대韓'])
    }))

  test('the button takes the open syllable with it', () =>
    withRoom(async (page) => {
      const hands = await ime(page)
      await page.field.focus()
      await hands.hangul('안녕')
      await page.getByRole('button', { name: '보내기' }).click()
      await until(() => said(page).length)
      await quiet()
      assert.deepEqual([said(page), await value(page)], [['안녕'], ''])
      await page.keyboard.type('x')
      assert.equal(await value(page), 'x')
    }))

  test('turned round by the setting, Enter breaks the line and Ctrl+Enter sends', () =>
    withRoom(
      async (page) => {
        await page.field.focus()
        await page.keyboard.type('하나')
        await page.keyboard.press('Enter')
        await page.keyboard.type('둘')
        await quiet()
        assert.deepEqual(said(page), [])
        await page.keyboard.press('Control+Enter')
        await until(() => said(page).length)
        await quiet()
        assert.deepEqual(said(page), ['하나\n둘'])
      },
      { init: () => localStorage.setItem('damso.enterSends', 'false') },
    ))
})

describe('names', () => {
  test('are found while a syllable grows; arrows and Tab choose in the middle of it', () =>
    withRoom(async (page, { n }) => {
      const hands = await ime(page)
      await page.field.focus()
      await page.keyboard.type('@')
      await until(async () => (await options(page)).includes('room'))
      await hands.compose('ㅈ')
      await until(async () => String(await options(page)) === `지원${n},박지훈${n}`)
      await hands.compose('지')
      await until(async () => (await options(page)).length === 2)
      // The arrow comes as the input method's, which ends the syllable, and as itself.
      await page.keyboard.press('ArrowDown')
      assert.equal(await page.locator('[role=option][aria-selected=true] .label').textContent(), `박지훈${n}`)
      assert.equal(await page.field.getAttribute('aria-activedescendant'), await page.getByRole('option').last().getAttribute('id'))
      await page.keyboard.press('Tab')
      await until(async () => (await value(page)) === `@박지훈${n} `)
      assert.deepEqual(said(page), [])
    }))

  test('Esc closes the list and keeps the text; a finished name is sent by one Enter', () =>
    withRoom(async (page, { n }) => {
      await page.field.focus()
      await page.keyboard.type('@지')
      await until(async () => (await options(page)).length > 0)
      await page.keyboard.press('Escape')
      await until(async () => (await options(page)).length === 0)
      await page.keyboard.type('원')
      await quiet()
      assert.deepEqual([await options(page), await value(page)], [[], '@지원'])
      await page.field.fill('')
      await page.keyboard.type(`@지원${n}`)
      await until(async () => (await options(page)).length === 1)
      await page.keyboard.press('Enter')
      await until(() => said(page).length)
      await quiet()
      assert.deepEqual(said(page), [`@지원${n}`])
    }))
})

describe('emoji', () => {
  test('a colon finds them in Korean and English; the name between two colons becomes one', () =>
    withRoom(async (page) => {
      await page.field.focus()
      await page.keyboard.type('좋아요 :웃')
      await until(async () => (await options(page)).length > 2)
      await page.keyboard.press('Enter')
      await until(async () => /^좋아요 \p{Emoji}/u.test(await value(page)))
      await page.field.fill('')
      await page.keyboard.type(':tada:')
      await until(async () => (await value(page)) === '🎉')
      await page.keyboard.type(' :D')
      await page.keyboard.press('Enter')
      await until(() => said(page).length)
      await quiet()
      assert.deepEqual(said(page), ['🎉 :D'])
    }))

  test('the picker searches in both languages, moves by arrows, and gives the focus back', () =>
    withRoom(async (page) => {
      const button = page.getByRole('button', { name: '이모지', exact: true })
      const picker = page.getByRole('dialog', { name: '이모지 고르기' })
      const focus = () => page.evaluate(() => document.activeElement.getAttribute('data-glyph') ?? document.activeElement.tagName)
      await page.field.fill('네')
      for (const [query, glyph] of [['웃', '😀'], ['smile', '😄'], ['ㅎㅌ', '❤️']]) {
        await button.click()
        await picker.getByRole('button', { name: '엄지' }).first().waitFor()
        await page.keyboard.type(query)
        await picker.locator(`[data-glyph="${glyph}"]`).waitFor()
        await page.keyboard.press('Escape')
        await until(async () => !(await picker.count()))
      }
      assert.equal(await focus(), 'BUTTON')
      await button.click()
      await picker.locator('[data-glyph="👍"]').first().waitFor()
      await page.keyboard.press('ArrowDown')
      assert.equal(await focus(), '👍')
      await page.keyboard.press('ArrowRight')
      await page.keyboard.press('ArrowDown')
      assert.equal(await focus(), '😃')
      await page.keyboard.press('Enter')
      await until(async () => (await value(page)) === '네😃')
      assert.equal(await focus(), 'TEXTAREA')
      await button.click()
      assert.equal(await picker.locator('[data-glyph]').first().getAttribute('data-glyph'), '😃')
      await button.click()
      await until(async () => !(await picker.count()))
      await button.click()
      await picker.waitFor()
      await page.mouse.click(300, 300)
      await until(async () => !(await picker.count()))
    }))

  test('one Enter at the end of a composed search picks one', () =>
    withRoom(async (page) => {
      const hands = await ime(page)
      for (const press of Object.values(ORDERS)) {
        await page.field.fill('')
        await page.getByRole('button', { name: '이모지', exact: true }).click()
        const picker = page.getByRole('dialog', { name: '이모지 고르기' })
        await picker.locator('[data-glyph]').first().waitFor()
        await hands.hangul('하트')
        await press(hands, '트')
        await until(async () => !(await picker.count()))
        await quiet()
        assert.match(await value(page), /^\p{Emoji}\p{M}*\uFE0F?$/u)
        assert.deepEqual(said(page), [])
      }
    }))
})

describe('drafts', () => {
  test('belong to their room, and outlive a reload, with what they answer', () =>
    withRoom(async (page, { room, go, others: [other] }) => {
      await other.say('몇 시에 만나요?', { room })
      await arrives(page, '몇 시에 만나요?')
      await page.field.fill('점심 글')
      await message(page, '몇 시에').focus()
      await page.keyboard.press('r')
      await page.locator('.context').getByText('몇 시에 만나요?').waitFor()
      await go('lobby')
      await until(async () => (await value(page)) === '')
      assert.equal(await page.locator('.context').count(), 0)
      await page.field.fill('로비 글')
      await quiet()
      await reload(page)
      await until(async () => (await value(page)) === '로비 글')
      await page.field.fill('')
      await go(room)
      await until(async () => (await value(page)) === '점심 글')
      await page.locator('.context').getByText('몇 시에 만나요?').waitFor()
      await page.field.press('Enter')
      await settled(page)
      assert.deepEqual(page.wire.filter(({ up, t }) => up && t === 'send').map(({ room, text, reply }) => [room, text, !!reply]), [[room, '점심 글', true]])
      assert.equal(await page.locator('.context').count(), 0)
      await reload(page)
      assert.equal(await value(page), '')
    }))

  test('a send goes where it was written for, though the room changes in the same instant', () =>
    withRoom(async (page, { room, go }) => {
      const hands = await ime(page)
      await page.field.focus()
      await hands.hangul('여기에')
      await Promise.all([hands.taken(), hands.commit('에'), go('lobby')])
      await hands.up()
      await quiet()
      const sends = page.wire.filter(({ up, t }) => up && t === 'send')
      const kept = await page.evaluate((room) => localStorage.getItem(`damso.draft.${room}`), room)
      if (sends.length) assert.deepEqual(sends.map(({ room, text }) => [room, text]), [[room, '여기에']])
      else assert.equal(JSON.parse(kept).text, '여기에')
      assert.equal(await value(page), '')
    }))

  test('a syllable under way stays with its room', () =>
    withRoom(async (page, { room, go }) => {
      const hands = await ime(page)
      await page.field.focus()
      await hands.hangul('안녕')
      await go('lobby')
      await until(async () => (await value(page)) === '')
      await page.keyboard.type('x')
      assert.equal(await value(page), 'x')
      await page.field.fill('')
      await go(room)
      await until(async () => (await value(page)) === '안녕')
    }))

  test('two tabs agree', () =>
    withRoom(async (page, { room }) => {
      const second = await openChat(damso.url, { context: page.context(), at: `#/${room}` })
      await second.evaluate(() => (document.hasFocus = () => false))
      await page.field.fill('한 글')
      await until(async () => (await value(second)) === '한 글')
      await page.field.press('Enter')
      await until(async () => (await value(second)) === '')
      await arrives(second, '한 글')
      await second.close()
    }))
})

describe('changing what was said', () => {
  test('↑ edits the last message of one’s own; Esc gives the draft back; what is the same isn’t sent', () =>
    withRoom(async (page, { others: [other], room }) => {
      await page.say('첫 글')
      await settled(page)
      await other.say('남의 글', { room })
      await arrives(page, '남의 글')
      await page.field.press('ArrowUp')
      await page.getByText('메시지 고치는 중').waitFor()
      assert.equal(await value(page), '첫 글')
      await page.keyboard.press('Escape')
      await until(async () => (await value(page)) === '')
      await page.keyboard.press('ArrowUp')
      await until(async () => (await value(page)) === '첫 글')
      await page.keyboard.press('Enter')
      await page.field.waitFor()
      assert.deepEqual(said(page, 'change'), [])
      await page.keyboard.press('ArrowUp')
      await until(async () => (await value(page)) === '첫 글')
      await page.keyboard.type('!')
      await page.keyboard.press('Enter')
      await until(() => said(page, 'change').length === 1)
      await until(async () => (await texts(page))[0].startsWith('첫 글!'))
      assert.equal(await page.evaluate(() => document.activeElement.id), 'composer')
    }))

  test('an edit that is left for another room is there again', () =>
    withRoom(async (page, { room, go }) => {
      await page.say('첫 글')
      await settled(page)
      await page.field.press('ArrowUp')
      await until(async () => (await value(page)) === '첫 글')
      await page.keyboard.type(' 고침')
      await go('lobby')
      await page.field.waitFor()
      await go(room)
      await until(async () => (await value(page)) === '첫 글 고침')
      await page.keyboard.press('Escape')
      await page.field.press('ArrowUp')
      await until(async () => (await value(page)) === '첫 글')
    }))

  test('an emptied message asks whether to delete it', () =>
    withRoom(async (page) => {
      await page.say('지울 글')
      await settled(page)
      const ask = page.getByRole('alertdialog')
      for (const name of ['그대로 두기', '지우기']) {
        if (!(await page.getByText('메시지 고치는 중').count())) await page.field.press('ArrowUp')
        await until(async () => (await value(page)) !== undefined)
        await page.locator('.box textarea').fill('')
        await page.locator('.box textarea').press('Enter')
        await ask.getByRole('button', { name }).click()
        await until(async () => !(await ask.count()))
      }
      await until(() => page.wire.some(({ up, op }) => up && op === 'delete'))
      await page.field.waitFor()
    }))
})

describe('the field', () => {
  test('grows to two fifths of the height, and no further', () =>
    withRoom(async (page) => {
      const height = async () => (await page.field.boundingBox()).height
      const one = await height()
      await page.field.fill('줄\n줄\n줄')
      assert.ok((await height()) > one + 40)
      await page.field.fill('줄\n'.repeat(60))
      const most = await height()
      assert.ok(most > 250 && most <= 321, `${most}`)
      await page.field.fill('')
      assert.equal(await height(), one)
    }))

  test('counts when little room is left, and keeps what is too long', () =>
    withRoom(async (page) => {
      const long = '가'.repeat(7990)
      await page.field.fill(long)
      await page.getByText('10자 남았어요').waitFor()
      await page.field.fill(`${long}${'😀'.repeat(12)}`)
      await page.getByText('2자 넘어서').waitFor()
      await page.field.press('Enter')
      await quiet()
      assert.deepEqual([said(page).length, (await value(page)).length], [0, 7990 + 24])
      await page.field.fill(`${long}${'😀'.repeat(10)}`)
      await page.field.press('Enter')
      await until(() => said(page).length === 1)
    }))

  test('Ctrl+B marks the selection and takes it away again, and both can be undone', () =>
    withRoom(async (page) => {
      await page.field.focus()
      await page.keyboard.type('굵게')
      await page.keyboard.press('Control+A')
      await page.keyboard.press('Control+B')
      assert.equal(await value(page), '**굵게**')
      await page.keyboard.press('Control+B')
      assert.equal(await value(page), '굵게')
      await page.keyboard.press('Control+Z')
      assert.equal(await value(page), '**굵게**')
    }))

  test('says who is writing, at a height that doesn’t change', () =>
    withRoom(async (page, { room, n, others }) => {
      const top = async () => (await page.field.boundingBox()).y
      const before = await top()
      for (const other of others) {
        await other.open(room)
        other.ask({ t: 'typing', room }) // which has no answer
      }
      await page.getByText(`지원${n}님, 박지훈${n}님이 쓰고 있어요`).waitFor()
      assert.equal(await top(), before)
    }))

  test('gives way to a sentence where only owners may write, and where nobody may', () =>
    withRoom(
      async (page, { room, others: [owner] }) => {
        await page.field.fill('쓰던 글')
        await owner.api('PATCH', `/rooms/${room}`, { post: 'owners' })
        await page.getByText('방장만 글을 쓸 수 있어요').waitFor()
        await owner.api('PATCH', `/rooms/${room}`, { post: 'everybody' })
        await until(async () => (await page.field.count()) === 1 && (await value(page)) === '쓰던 글')
        await owner.api('PATCH', `/rooms/${room}`, { archived: true })
        await page.getByText('보관된 방').waitFor()
        assert.equal(await page.field.count(), 0)
      },
      { owns: false },
    ))

  test('says so while its author may only read, and keeps what wasn’t sent', async () => {
    const strict = await startDamso({ console: true, lifted: true })
    try {
      await withChat(strict.url, { name: '민수' }, async (page) => {
        await page.say('하나')
        await settled(page)
        strict.type('/mute 민수')
        await quiet()
        await page.say('둘')
        await page.getByText('지금은 읽을 수만 있어요').waitFor()
        assert.equal(await page.field.count(), 1)
      })
    } finally {
      await strict.stop()
    }
  })

  test('on a phone has room for a thumb, and does not call the keyboard by itself', () =>
    withRoom(
      async (page) => {
        assert.notEqual(await page.evaluate(() => document.activeElement.tagName), 'TEXTAREA')
        for (const control of [page.field, page.getByRole('button', { name: '보내기' }), page.getByRole('button', { name: '이모지', exact: true })]) {
          const box = await control.boundingBox()
          assert.ok(box.height >= 44 && box.width >= 44 && box.x + box.width <= 390 && box.y + box.height <= 844, JSON.stringify(box))
        }
        await page.field.fill('안녕')
        await page.field.press('Enter') // which a phone's keyboard has for nothing else
        assert.equal(await value(page), '안녕\n')
        await page.getByRole('button', { name: '보내기' }).tap()
        await until(() => said(page).length === 1)
        assert.equal(await page.evaluate(() => document.activeElement.id), 'composer')
        await page.getByRole('button', { name: '이모지', exact: true }).tap()
        const cell = await page.locator('.picker [data-glyph]').first().boundingBox()
        assert.ok(cell.height >= 44 && cell.width >= 43, JSON.stringify(cell))
        await shot(page, 'composer-picker-phone')
      },
      PHONE,
    ))
})
