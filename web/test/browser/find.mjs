/** Finding rooms, people, messages and days: `DAMSO_BIN=path/to/damso node --test test/browser/find.mjs`. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { startDamso } from '../lib/damso.mjs'
import { ime } from '../lib/ime.mjs'
import { arrives, closeBrowser, openChat, quiet, shot, texts, until, withChat } from '../lib/page.mjs'

let damso
let ada // has said hello, and made the rooms
const rooms = {}

/** Asks the HTTP API as the one whose page it is. */
const ask = (page, method, path, body) =>
  page.evaluate(
    async ([method, path, body]) => {
      const headers = { authorization: `Bearer ${JSON.parse(localStorage.getItem('damso.key'))}`, 'content-type': 'application/json' }
      const answer = await fetch(`/api/v1${path}`, { method, headers, body: body && JSON.stringify(body) })
      return answer.status === 204 ? undefined : answer.json()
    },
    [method, path, body],
  )

before(async () => {
  damso = await startDamso({ lifted: true })
  ada = await openChat(damso.url, { name: 'Ada', locale: 'en-GB' })
  for (const name of ['점심 모임', '개발', '점심']) rooms[name] = (await ask(ada, 'POST', '/rooms', { kind: 'public', name })).id
  for (const text of ['점심 뭐 먹을까요?', '배포는 점심 뒤에', 'lunch at noon', '`code` https://a.kr'])
    await ask(ada, 'POST', '/rooms/lobby/messages', { nonce: `n${Math.random()}`.replace('.', ''), text })
  await ask(ada, 'POST', `/rooms/${rooms['개발']}/messages`, { nonce: 'dev1', text: '개발 방의 점심' })
})

after(async () => {
  await closeBrowser()
  await damso?.stop()
})

let names = 0
const somebody = (run, options) => withChat(damso.url, { name: `민수${++names}`, ...options }, run)

async function switcher(page) {
  await page.keyboard.press('Control+k')
  const field = page.getByRole('combobox')
  await field.waitFor()
  return field
}

const options = (page) => page.getByRole('option').allInnerTexts()
const inRoom = (page, name) => until(async () => (await page.getByRole('heading', { level: 1 }).innerText()) === name, `in ${name}`)
const gone = (page) => page.getByRole('dialog').waitFor({ state: 'detached' })

describe('the switcher', () => {
  test('first consonants, a syllable under way and the other layout find a room, which is joined', () =>
    somebody(async (page) => {
      const field = await switcher(page)
      await until(async () => (await options(page)).some((row) => row.startsWith('Ada')), 'people are there')
      for (const query of ['ㅈㅅㅁㅇ', '점심 모', '저', 'wjatlaah']) {
        await field.fill(query)
        await until(async () => (await options(page)).some((row) => row.startsWith('점심 모임')), query)
      }
      await shot(page, 'switcher')
      assert.match(await page.getByRole('dialog').innerText(), /점심모/)
      await field.press('Enter')
      await gone(page)
      await inRoom(page, '점심 모임')
      assert.equal(await page.evaluate(() => document.activeElement?.tagName), 'TEXTAREA')
    }))

  test('dkssud is offered as 안녕, also where nobody is called so', () =>
    somebody(async (page) => {
      const field = await switcher(page)
      await field.fill('dkssud')
      await until(async () => (await options(page)).some((row) => row.includes('안녕')), 'a row says 안녕')
    }))

  test('arrows move what Enter takes, and Escape takes nothing', () =>
    somebody(async (page) => {
      const field = await switcher(page)
      await until(async () => (await options(page)).length > 1)
      const active = () => field.getAttribute('aria-activedescendant')
      assert.equal(await active(), 'place-0')
      await field.press('ArrowDown')
      assert.equal(await active(), 'place-1')
      await field.press('ArrowUp')
      await field.press('ArrowUp')
      assert.equal(await active(), `place-${(await options(page)).length - 1}`)
      assert.equal(await page.getByRole('option', { selected: true }).count(), 1)
      await field.press('Escape')
      await gone(page)
      await inRoom(page, 'lobby')
    }))

  test('a person is talked to, and the room stays', () =>
    somebody(async (page) => {
      const field = await switcher(page)
      await field.fill('ada')
      await until(async () => (await options(page))[0]?.startsWith('Ada'))
      await field.press('Enter')
      await inRoom(page, 'Ada')
      await page.say('둘이서만')
      await arrives(page, '둘이서만')
      await switcher(page)
      await until(async () => (await options(page)).filter((row) => row.startsWith('Ada')).length === 1, 'she is there once')
    }))
})

/** How an Enter comes while a text is composed; whether it is a wish. The candidate is one for the last syllable. */
const ORDERS = [
  ['A: the key first, then the end of composition', async (hands, text) => {
    await hands.hangul(text)
    await hands.taken()
    await hands.commit(text.at(-1))
    await hands.up()
  }, true],
  ['B: the same and a second keydown', async (hands, text) => {
    await hands.hangul(text)
    await hands.taken()
    await hands.commit(text.at(-1))
    await hands.down()
    await hands.up()
  }, true],
  ['B without a pause', async (hands, text) => {
    await hands.hangul(text)
    await Promise.all([hands.taken(), hands.commit(text.at(-1)), hands.down(), hands.up()])
  }, true],
  ['C: the end of composition first, then the key', async (hands, text) => {
    await hands.hangul(text)
    await Promise.all([hands.commit(text.at(-1)), hands.taken()])
    await hands.up()
  }, true],
  ['D: the key is called Process', async (hands, text) => {
    await hands.hangul(text)
    await hands.taken({ key: 'Process' })
    await hands.commit(text.at(-1))
    await hands.up()
  }, true],
  ['a candidate is no wish', async (hands, text, candidate) => {
    await hands.hangul(text)
    await hands.taken()
    await hands.commit(candidate)
    await hands.up()
  }, false],
]

describe('one Enter chooses once', () => {
  /** What was chosen is counted by the addresses that the page went to. */
  const chooses = (name, steps, expected) =>
    test(name, () =>
      somebody(async (page) => {
        await ask(page, 'PUT', `/rooms/${rooms['개발']}/members/${(await ask(page, 'GET', '/me')).user}`)
        await page.field.fill('쓰던 글')
        const field = await switcher(page)
        const hands = await ime(page)
        await page.evaluate(() => {
          globalThis.went = 0
          const push = history.pushState
          history.pushState = (...how) => (globalThis.went++, push.apply(history, how))
        })
        await field.focus()
        await steps(hands, page)
        await quiet()
        assert.equal(await page.evaluate(() => globalThis.went), expected ? 1 : 0)
        if (expected) {
          await gone(page)
          await inRoom(page, '개발')
        } else assert.equal(await page.getByRole('combobox').count(), 1)
        await page.keyboard.press('Escape')
        assert.ok(!(await texts(page)).includes('쓰던 글'), 'the draft is not sent by what is left of the key')
      }),
    )

  for (const [name, steps, wants] of ORDERS) chooses(name, (hands) => steps(hands, '개발', '發'), wants)
})

describe('the search', () => {
  const open = async (page) => {
    await page.field.blur()
    await page.keyboard.press('/')
    const field = page.getByRole('searchbox')
    await field.waitFor()
    return field
  }
  const hits = (page) => page.locator('.hit')

  test('words are found everywhere or here, lit up, and gone to', () =>
    somebody(async (page) => {
      await ask(page, 'PUT', `/rooms/${rooms['개발']}/members/${(await ask(page, 'GET', '/me')).user}`)
      const field = await open(page)
      assert.equal(await page.evaluate(() => document.activeElement?.getAttribute('type')), 'search')
      await field.fill('점심')
      await until(async () => (await hits(page).count()) === 3, 'three hits')
      assert.deepEqual(await page.locator('.hits h3').allInnerTexts(), ['개발', 'lobby'])
      assert.deepEqual(await page.locator('.hit mark').allInnerTexts(), ['점심', '점심', '점심'])
      await shot(page, 'search')
      await page.getByRole('radio', { name: '이 방', exact: true }).check()
      await until(async () => (await hits(page).count()) === 2, 'two hits here')
      await page.getByRole('radio', { name: '모든 방', exact: true }).check()
      await until(async () => (await hits(page).count()) === 3, 'three again')
      await page.getByRole('link', { name: '개발 방의 점심' }).click()
      await inRoom(page, '개발')
      assert.match(page.url(), new RegExp(`#/${rooms['개발']}/\\d+$`))
      assert.equal(await hits(page).count(), 3, 'what was found is still there')
      assert.equal(await field.inputValue(), '점심')
      await page.locator('.hit').first().focus()
      await page.keyboard.press('/')
      assert.ok(await field.evaluate((input) => input === document.activeElement), 'the key leads back to the field')
    }))

  test('operators are offered, and read', () =>
    somebody(async (page) => {
      const field = await open(page)
      await page.getByRole('button', { name: /^has:code/ }).click()
      await until(async () => (await hits(page).count()) === 1)
      await field.fill('from:Ada noon')
      await until(async () => (await hits(page).locator('mark').allInnerTexts()).join() === 'noon')
      await field.fill('없는 말')
      await until(async () => /찾는 글이 없어요/.test(await page.getByRole('status').filter({ hasText: '찾' }).innerText()))
    }))

  test('a wrong query is told as such, and so is a server that is away', () =>
    somebody(
      async (page) => {
        const field = await open(page)
        await field.fill('before:어제')
        await page.locator('.error').waitFor()
        await page.route('**/api/v1/search?*', (route) => route.abort())
        await field.fill('점심')
        await page.getByRole('button', { name: '다시', exact: true }).waitFor()
        await page.unroute('**/api/v1/search?*')
        await page.getByRole('button', { name: '다시', exact: true }).click()
        await until(async () => (await hits(page).count()) > 0)
      },
      { forgive: /400|ERR_FAILED/ },
    ))

  test('only the last query is shown, however late an earlier one is answered', () =>
    somebody(async (page) => {
      const field = await open(page)
      let held
      await page.route('**/api/v1/search?q=%EC%A0%90%EC%8B%AC*', async (route) => {
        held = route
      })
      await field.fill('점심')
      await until(() => held, 'the first is under way')
      await field.fill('noon')
      await until(async () => (await hits(page).locator('mark').allInnerTexts()).join() === 'noon')
      await held.continue().catch(() => {}) // the page has hung up on it
      await quiet()
      assert.deepEqual(await hits(page).locator('mark').allInnerTexts(), ['noon'])
    }))
})

describe('one Enter searches once', () => {
  for (const [name, steps, wants] of ORDERS)
    test(name, () =>
      somebody(async (page) => {
        await page.field.fill('쓰던 글')
        await page.getByRole('button', { name: '검색', exact: true }).click()
        await page.getByRole('searchbox').focus()
        let asked = 0
        let typed
        // What is typed is searched for when the typing rests; the wish comes after that.
        page.on('request', (request) => (asked += new URL(request.url()).searchParams.get('q') === '점심'))
        const hands = await ime(page)
        const waiting = { ...hands, taken: async (more) => ((typed ??= asked), hands.taken(more)) }
        waiting.hangul = async (text) => {
          await hands.hangul(text)
          await until(async () => (await page.locator('.hit').count()) === 2, 'found while it is composed')
        }
        await steps(waiting, '점심', '心')
        await quiet(700)
        assert.equal(asked - typed, wants ? 1 : 0)
        assert.equal(await page.getByRole('searchbox').inputValue(), wants ? '점심' : '점心')
        assert.equal(await page.field.inputValue(), '쓰던 글')
      }),
    )
})

describe('rooms and days', () => {
  const dialog = async (page, button) => {
    await page.getByRole('button', { name: button }).click()
    await page.getByRole('dialog').waitFor()
  }

  test('a room is made, and a private one has whom it was made for', () =>
    somebody(async (page) => {
      await dialog(page, '새 대화방')
      assert.equal(await page.evaluate(() => document.activeElement?.tagName), 'INPUT')
      await page.keyboard.type('책 읽기')
      await page.keyboard.press('Enter')
      await gone(page)
      await inRoom(page, '책 읽기')
      await dialog(page, '새 대화방')
      await page.getByLabel('이름').fill('비밀')
      await page.getByRole('radio', { name: '비공개', exact: true }).check()
      await page.getByRole('checkbox', { name: 'Ada' }).check()
      await shot(page, 'new-room')
      await page.getByRole('button', { name: '만들기', exact: true }).click()
      await inRoom(page, '비밀')
      await until(async () => (await ada.getByRole('navigation').innerText()).includes('비밀'), 'Ada has it too')
    }))

  test('a name that is taken is told, and a room is joined', () =>
    somebody(
      async (page) => {
        await dialog(page, '새 대화방')
        await page.getByLabel('이름').fill('점심')
        await page.getByRole('button', { name: '만들기', exact: true }).click()
        await page.locator('.error').waitFor()
        await page.getByRole('radio', { name: '참여하기' }).check()
        await page.getByRole('button', { name: /^점심 모임/ }).click()
        await gone(page)
        await inRoom(page, '점심 모임')
      },
      { forgive: /409/ },
    ))

  test('a day is gone to', () =>
    somebody(async (page) => {
      await dialog(page, '날짜로 이동')
      await shot(page, 'date')
      await page.getByRole('button', { name: '처음' }).click()
      await gone(page)
      assert.match(page.url(), /#\/lobby\/\d+$/)
    }))
})
