/** The browser client's main paths: `DAMSO_BIN=path/to/damso node --test test/browser/app.mjs`; more in ../lib/page.mjs. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { bot } from '../lib/bot.mjs'
import { startDamso } from '../lib/damso.mjs'
import { AWAY, arrives, closeBrowser, entered, fromEnd, message, openChat, quiet, reload, settled, texts, until, withChat } from '../lib/page.mjs'
import { proxy } from '../lib/proxy.mjs'

let damso
let n = 0

before(async () => {
  damso = await startDamso({ lifted: true })
})

after(async () => {
  await closeBrowser()
  await damso?.stop()
})

/** A name and a room's name that nobody had. */
const fresh = (word) => `${word}${++n}`

/** A room of its own for a test, with somebody in it who owns it. */
async function room(word = '방', more) {
  const owner = await bot(damso.url, fresh('지원'))
  const name = fresh(word)
  const id = await owner.room(name, more)
  await owner.open(id)
  return { owner, name, id, at: `#/${id}` }
}

/** Somebody whom the server knows already, so that a room can have them before they come. */
async function guest(room, word = '민수') {
  const known = await bot(damso.url, fresh(word))
  if (room) await room.owner.api('PUT', `/rooms/${room.id}/members/${known.user}`)
  known.close()
  return { name: known.name, key: known.key, user: known.user }
}

/** A room in the sidebar, by its name and what is said of it: `link(page, name, '안 읽은 메시지 3개')`. */
const link = (page, name, more = '') => page.getByRole('navigation').getByRole('link', { name: new RegExp(`^${name}\\b.*${more}`) })

const actions = async (page, text, ...names) => {
  await message(page, text).hover()
  for (const name of names) await message(page, text).getByRole('button', { name }).click()
}

describe('the first minute', () => {
  test('a name, and two browsers talk', () =>
    withChat(damso.url, { name: fresh('민수') }, (ko) =>
      withChat(damso.url, { name: fresh('Ada'), locale: 'en-GB' }, async (en) => {
        assert.deepEqual([await ko.getAttribute('html', 'lang'), await en.getAttribute('html', 'lang')], ['ko', 'en'])
        await ko.say('안녕하세요')
        await arrives(en, '안녕하세요')
        await en.say('Hello there')
        await arrives(ko, 'Hello there')
        for (const page of [ko, en]) {
          await settled(page)
          assert.deepEqual((await texts(page)).slice(-2), ['안녕하세요', 'Hello there'])
          assert.equal(await page.field.inputValue(), '')
          assert.equal(await page.field.evaluate((field) => document.activeElement === field), true)
        }
      }),
    ))

  test('a name that somebody has is said to be taken, and a free one is offered', async () => {
    const { name } = await guest()
    const page = await openChat(damso.url, { name, ready: false })
    await page.getByRole('alert').filter({ hasText: name }).waitFor()
    const offer = page.getByRole('button', { name })
    const other = await offer.innerText()
    await offer.click()
    await entered(page)
    assert.notEqual(other, name)
    assert.equal(await page.getByRole('navigation').getByText(other).count(), 1)
    await page.context().close()
  })

  test('who comes back is the same, and isn’t asked again', async () => {
    const name = fresh('민수')
    await withChat(damso.url, { name }, async (page) => {
      await reload(page)
      assert.equal(await page.getByRole('navigation').getByText(name).count(), 1)
      assert.equal(page.wire.find(({ t }) => t === 'welcome').name, name)
    })
  })
})

describe('rooms', () => {
  test('one that is made elsewhere stands in the list, counts what is new, and shows it when it is entered', async () => {
    const me = await guest()
    await withChat(damso.url, me, async (page) => {
      const lunch = await room('점심')
      await lunch.owner.api('PUT', `/rooms/${lunch.id}/members/${me.user}`)
      await link(page, lunch.name).waitFor()
      await lunch.owner.many(['하나', '둘', '셋'], lunch.id)
      await link(page, lunch.name, '안 읽은 메시지 3개').waitFor()
      await link(page, lunch.name).click()
      await arrives(page, '셋')
      assert.deepEqual(await texts(page), ['하나', '둘', '셋'])
      assert.equal(new URL(page.url()).hash, lunch.at)
      assert.equal(await page.getByRole('heading', { name: lunch.name }).count(), 1)
      await link(page, lunch.name, '안 읽은').waitFor({ state: 'detached' })
      await page.goBack()
      await until(() => page.getByRole('heading', { name: 'lobby' }).count())
    })
  })

  test('each keeps its own draft', async () => {
    const lunch = await room('점심')
    await withChat(damso.url, await guest(lunch), async (page) => {
      await page.field.fill('로비에 쓰던 글')
      await link(page, lunch.name).click()
      await until(async () => (await page.field.inputValue()) === '')
      await page.field.fill('점심에 쓰던 글')
      await link(page, 'lobby').click()
      await until(async () => (await page.field.inputValue()) === '로비에 쓰던 글')
      await reload(page)
      assert.equal(await page.field.inputValue(), '로비에 쓰던 글')
      await link(page, lunch.name).click()
      await until(async () => (await page.field.inputValue()) === '점심에 쓰던 글')
    })
  })
})

describe('messages', () => {
  test('one is answered, and the quote leads to it', async () => {
    const { owner, id, at } = await room()
    const [first] = await owner.many(['물음표?', ...Array.from({ length: 60 }, (_, i) => `${i}번째 줄`)], id)
    const last = await owner.say('여기가 끝', { room: id })
    await withChat(damso.url, { ...(await guest({ owner, id })), at }, async (page) => {
      await arrives(page, '여기가 끝')
      await actions(page, '여기가 끝', '답장')
      await page.say('네, 끝이네요')
      await arrives(page, '네, 끝이네요')
      await until(() => owner.heard.some(({ text, reply }) => text === '네, 끝이네요' && reply === last))
      await owner.say('처음 물음에 답', { room: id, reply: first })
      const answer = message(page, '처음 물음에 답')
      await answer.getByRole('link', { name: /물음표/ }).click()
      await until(() => message(page, '물음표?').first().isVisible())
      const there = page.log.getByRole('article').filter({ hasText: /^(?!.*처음).*물음표\?/ }).first()
      await until(async () => {
        const [a, b] = [await there.boundingBox(), await page.log.boundingBox()]
        return a && a.y >= b.y && a.y < b.y + b.height
      }, 'the answered message is in view')
    })
  })

  test('reactions, changes, pins and deletions are seen by all', async () => {
    const { owner, id, at } = await room()
    const me = await guest({ owner, id })
    await withChat(damso.url, { ...me, at }, (one) =>
      withChat(damso.url, { ...owner, at, locale: 'en-GB' }, async (two) => {
        await one.say('고칠 글')
        await arrives(two, '고칠 글')

        await actions(two, '고칠 글', 'More', '👍')
        const thumb = message(one, '고칠 글').getByRole('button', { name: /👍/ })
        await thumb.waitFor()
        await thumb.click()
        await until(async () => /2/.test(await message(two, '고칠 글').getByRole('button', { name: /👍/ }).innerText()), 'two like it')

        await one.field.focus()
        await one.keyboard.press('ArrowUp')
        const edit = one.getByRole('textbox', { name: '메시지 고치는 중' })
        await until(async () => (await edit.inputValue()) === '고칠 글')
        await edit.fill('고친 글')
        await edit.press('Enter')
        await arrives(two, '고친 글')
        await until(() => message(two, '고친 글').getByText('(edited)').count())
        assert.equal(await one.field.evaluate((field) => document.activeElement === field), true)

        await actions(two, '고친 글', 'More', 'Pin')
        await until(() => message(one, '고친 글').getByText('고정됨').count())

        await actions(one, '고친 글', '더 보기', '지우기', '정말')
        await arrives(two, 'This message was deleted.')
        await settled(one)
        assert.deepEqual(await texts(one), ['지운 메시지입니다.'])
      }),
    )
  })

  test('a mention is completed from a few letters, and calls', async () => {
    const { owner, id, at, name } = await room()
    const [me, other] = [await guest({ owner, id }, '하늘'), await guest({ owner, id }, '영희')]
    await withChat(damso.url, { ...me, at }, (one) =>
      withChat(damso.url, { ...other }, async (two) => {
        await one.field.pressSequentially('점심 @영')
        await one.getByRole('option', { name: new RegExp(other.name) }).waitFor()
        await one.keyboard.press('Enter')
        assert.match(await one.field.inputValue(), new RegExp(`@${other.name}`))
        await one.keyboard.press('Enter')
        await until(() => owner.heard.some(({ mentions }) => mentions?.includes(other.user)))
        await link(two, name, '나를 부른 메시지 1개').waitFor()
        await until(async () => /1/.test(await two.title()), 'the title counts it')
      }),
    )
  })

  test('what is new stands below a line, and leads there when it is far', async () => {
    const { owner, id, at } = await room()
    const me = await bot(damso.url, fresh('민수'))
    await owner.api('PUT', `/rooms/${id}/members/${me.user}`)
    await owner.many(Array.from({ length: 30 }, (_, i) => `읽은 글 ${i}`), id)
    await me.open(id)
    await me.ask({ t: 'read', room: id, seq: (await me.open(id, 0)).head })
    await owner.many(Array.from({ length: 40 }, (_, i) => `새 글 ${i}`), id)
    await withChat(damso.url, { name: me.name, key: me.key, at }, async (page) => {
      await arrives(page, '새 글 39')
      const line = page.log.getByText('새 메시지', { exact: true })
      await line.waitFor({ state: 'attached' })
      const order = await page.log.evaluate((log) => [...log.querySelectorAll('article, .new')].map((row) => row.innerText.trim()))
      const at = order.findIndex((row) => row.endsWith('새 메시지'))
      assert.match(order[at - 1], /읽은 글 29$/)
      assert.match(order[at + 1], /새 글 0$/)
      const jump = page.getByRole('button', { name: /새 메시지 40개/ })
      await jump.click()
      await until(async () => (await line.boundingBox())?.y > 0 && (await message(page, '새 글 0').isVisible()))
    })
    me.close()
  })
})

describe('to find', () => {
  test('a search shows what it found, and goes there', async () => {
    const { owner, id, at } = await room()
    const word = fresh('고래')
    await owner.many([`어제 ${word}를 봤어요`, ...Array.from({ length: 120 }, (_, i) => `${i}번째 줄`)], id)
    await withChat(damso.url, { ...(await guest({ owner, id })), at }, async (page) => {
      await arrives(page, '119번째 줄')
      await page.getByRole('button', { name: '검색' }).click()
      const field = page.getByRole('searchbox').or(page.getByRole('textbox', { name: '찾을 말' })).first()
      await field.fill(word)
      await field.press('Enter')
      const hit = page.getByRole('complementary').locator('mark', { hasText: word })
      await hit.waitFor()
      await hit.click()
      await until(() => message(page, word).isVisible())
      await until(() => message(page, '0번째 줄').count(), 'what stood around it')
    })
  })

  test('the switcher goes to a room by first consonants, and by Hangul typed in English letters', async () => {
    const lunch = await room('점심모임')
    await withChat(damso.url, await guest(lunch), async (page) => {
      for (const typed of ['ㅈㅅㅁㅇ', 'wjatlaahdla']) {
        await link(page, 'lobby').click()
        await page.keyboard.press('Control+k')
        await page.getByRole('combobox').fill(typed)
        await page.getByRole('option', { name: new RegExp(lunch.name) }).waitFor()
        await page.keyboard.press('Enter')
        await until(() => page.getByRole('heading', { name: lunch.name }).count(), typed)
      }
    })
  })

  test('a link leads to a message that was said long ago', async () => {
    const { owner, id } = await room()
    const ms = await owner.many(Array.from({ length: 400 }, (_, i) => `${i}번째 줄`), id)
    await withChat(damso.url, { ...(await guest({ owner, id })), at: `#/${id}/${ms[50]}` }, async (page) => {
      const there = page.log.getByText('50번째 줄', { exact: true })
      await until(async () => {
        const [a, b] = [await there.boundingBox(), await page.log.boundingBox()]
        return a && a.y >= b.y && a.y < b.y + b.height
      }, 'it is in view')
      await quiet()
      assert.equal((await there.boundingBox()).y > 0, true)
    })
  })
})

describe('loading again', () => {
  test('shows the last screen before the server has said a word', async () => {
    const { owner, id, at } = await room()
    await owner.many(Array.from({ length: 80 }, (_, i) => `${i}번째 줄`), id)
    await withChat(damso.url, { ...(await guest({ owner, id })), at, forgive: /ERR_FAILED|Failed to load/ }, async (page) => {
      await arrives(page, '79번째 줄')
      await settled(page)
      await quiet(1500) // the cache is written when there is time
      await page.routeWebSocket(/\/ws$/, () => {}) // opens, and never answers
      await page.route(/\/api\//, (route) => route.abort())
      await reload(page, { ready: false })
      await arrives(page, '79번째 줄')
      assert.ok((await texts(page)).length >= 50)
    })
  })

  test('asks for the difference alone', async () => {
    const { owner, id, at } = await room()
    await owner.many(Array.from({ length: 80 }, (_, i) => `${i}번째 줄`), id)
    await withChat(damso.url, { ...(await guest({ owner, id })), at }, async (page) => {
      await arrives(page, '79번째 줄')
      await settled(page)
      await quiet(1500)
      await page.goto('about:blank')
      page.wire.length = 0
      await owner.many(['새 줄 하나', '새 줄 둘'], id)
      await page.goto(`${damso.url}/${at}`)
      await arrives(page, '새 줄 둘')
      await settled(page)
      const got = page.wire.filter(({ up, room }) => !up && room === id)
      assert.deepEqual(got.flatMap(({ t, text }) => (t === 'msg' ? text : [])), ['새 줄 하나', '새 줄 둘'])
      assert.deepEqual(page.wire.filter(({ messages }) => messages?.length), [], 'no page was needed')
      assert.equal(page.wire.filter(({ up, t }) => up && t === 'history').length, 0)
    })
  })
})

describe('two tabs of one person', () => {
  test('agree on what is said, read and written', async () => {
    const { owner, id, at, name } = await room()
    await withChat(damso.url, { ...(await guest({ owner, id })), at }, async (one) => {
      const two = await openChat(damso.url, { context: one.context() })
      await owner.say('누가 있나요?', { room: id })
      await arrives(one, '누가 있나요?')
      await link(two, name, '안 읽은').waitFor({ state: 'detached' }) // read in one, read in the other
      await one.say('저 있어요')
      await link(two, name).click()
      await arrives(two, '저 있어요')
      await two.say('저도 저예요')
      await arrives(one, '저도 저예요')
      for (const page of [one, two]) {
        await settled(page)
        assert.deepEqual(await texts(page), ['누가 있나요?', '저 있어요', '저도 저예요'])
      }
      assert.equal(one.wire.find(({ t }) => t === 'welcome').user, two.wire.find(({ t }) => t === 'welcome').user)
      assert.deepEqual(two.complaints, [])
    })
  })
})

test('who reads the newest still does after a network that was gone brought 300 more', async () => {
  const { owner, id, at } = await room()
  const network = await proxy(damso.url)
  await owner.many(Array.from({ length: 100 }, (_, i) => `${i}번째 줄`), id)
  try {
    await withChat(network.url, { ...(await guest({ owner, id })), at, forgive: AWAY }, async (page) => {
      await arrives(page, '99번째 줄')
      network.cut()
      await page.getByText('다시 연결하고 있어요').waitFor()
      await owner.many(Array.from({ length: 300 }, (_, i) => `그동안의 ${i}번째 줄`), id)
      network.open()
      await page.evaluate(() => dispatchEvent(new Event('online')))
      await arrives(page, '그동안의 299번째 줄')
      await settled(page)
      await until(async () => (await fromEnd(page)) < 2, 'the end is in view')
    })
  } finally {
    await network.close()
  }
})
