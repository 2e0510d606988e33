/** The conversation: `DAMSO_BIN=path/to/damso node --test test/browser/log.mjs`; more in ../lib/page.mjs. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { bot } from '../lib/bot.mjs'
import { startDamso } from '../lib/damso.mjs'
import { arrives, closeBrowser, fromEnd, message, PHONE, quiet, reload, settled, shot, until, withChat } from '../lib/page.mjs'

const SHOWN_MAX = 400
const DRIFT_MAX = 2 // px
const HEAP_MAX = 60e6 // bytes

let damso
let ann

before(async () => {
  damso = await startDamso({ lifted: true, console: true })
  ann = await bot(damso.url, 'Ann')
})

after(async () => {
  ann?.close()
  await closeBrowser()
  await damso?.stop()
})

const lines = (count, from = 1) => Array.from({ length: count }, (_, i) => `${from + i}번째 줄${'입니다. 길이가 다른 글이에요'.repeat(i % 4)}`)
const shown = (page) => page.log.getByRole('article').count()
const first = (page) => page.log.getByRole('article').first().getAttribute('data-m')
const last = (page) => page.log.getByRole('article').last().getAttribute('data-m')
const isInView = (page, what) =>
  (typeof what === 'number' ? page.log.locator(`[data-m="${what}"]`) : message(page, what)).evaluate((row) => {
    const [a, b] = [row.getBoundingClientRect(), row.closest('.log').getBoundingClientRect()]
    return a.top >= b.top - 1 && a.bottom <= b.bottom + 1
  })

/** What the page holds, after the garbage is gone. */
async function heap(page) {
  const session = await page.context().newCDPSession(page)
  await session.send('HeapProfiler.collectGarbage')
  const { usedSize } = await session.send('Runtime.getHeapUsage')
  await session.detach()
  return usedSize
}

/**
 * Scrolls by `step` a frame until `done`, and looks at each frame: how many messages are nodes, and how far a message
 * that was in view moved otherwise than it was scrolled.
 */
const scrolled = (page, step, done) =>
  page.log.evaluate(
    async (log, [step, done]) => {
      const frame = () => new Promise((next) => requestAnimationFrame(next))
      const topOf = (row) => row.getBoundingClientRect().top
      const textOf = (row) => row.getBoundingClientRect().bottom // its name may go when what is before it comes
      const seen = { most: 0, drift: 0, frames: 0, still: 0 }
      const end = Date.now() + 240_000
      while (seen.still < 60) {
        if (Date.now() > end) throw new Error(`still scrolling after ${JSON.stringify(seen)}`)
        const edge = topOf(log)
        const row = [...log.querySelectorAll('article')].find((row) => topOf(row) >= edge)
        const [before, top] = [textOf(row), log.scrollTop]
        log.scrollTop += step
        const moved = log.scrollTop - top
        await frame()
        await frame()
        if (row.isConnected) seen.drift = Math.max(seen.drift, Math.abs(textOf(row) - before + moved))
        seen.most = Math.max(seen.most, log.querySelectorAll('article').length)
        seen.frames++
        const edgeRow = step < 0 ? log.querySelector('article') : [...log.querySelectorAll('article')].at(-1)
        seen.still = edgeRow?.dataset.m === done && !moved ? seen.still + 1 : 0
      }
      return seen
    },
    [step, done],
  )

/** Many times what is shown at once. */
const LONG = process.env.WEB_SIZE === 'full' ? 10_000 : 3_000

describe(`a room of ${LONG} messages`, () => {
  let room
  let said

  before(async () => {
    room = await ann.room('만 줄')
    said = await ann.many(lines(LONG), room)
  })

  test('is scrolled end to end and back with 400 messages as nodes at most, and nothing that is read moves', { timeout: 560_000 }, () =>
    withChat(damso.url, { name: '긴이' }, async (page) => {
      await enter(page, room)
      const before = await heap(page)
      const up = await scrolled(page, -1500, `${said[0]}`)
      assert.ok(up.most <= SHOWN_MAX && up.drift < DRIFT_MAX, JSON.stringify(up))
      const down = await scrolled(page, 1500, `${said.at(-1)}`)
      assert.ok(down.most <= SHOWN_MAX && down.drift < DRIFT_MAX, JSON.stringify(down))
      const after = await heap(page)
      assert.ok(after < HEAP_MAX, `${after} bytes after ${before}`)
    }))
})

describe('where it is read', () => {
  test('what was missed is counted, and fetched when it comes into view', async () => {
    const room = await ann.room('틈')
    const said = await ann.many(lines(400), room)
    await withChat(damso.url, { name: '틈새' }, async (page) => {
      await enter(page, room)
      await page.evaluate((hash) => (location.hash = hash), `#/${room}/${said[99]}`)
      await page.log.locator('.lit', { hasText: '100번째' }).waitFor()
      await until(() => isInView(page, '100번째'), 'the message of the link is in view')
      await settled(page)
      const gap = page.log.locator('.gap')
      assert.match(await gap.innerText(), /^메시지 \d+개 불러오기$/)
      await shot(page, 'log-gap')
      const reach = () => page.log.evaluate((log) => (log.scrollTop += (log.querySelector('.gap')?.getBoundingClientRect().top ?? 0) - 300))
      await until(async () => (await reach(), await quiet(100), (await gap.count()) === 0), 'it is filled, page by page')
      // On to the end: nothing is missing then, and each is there once.
      await scrolled(page, 700, `${said.at(-1)}`)
      const texts = await page.log.locator('.text').evaluateAll((all) => all.map((text) => Number.parseInt(text.innerText, 10)))
      assert.deepEqual(texts, Array.from({ length: texts.length }, (_, i) => 400 - texts.length + 1 + i))
    })
  })

  test('the line of what is new stays until Esc, and a button leads to it', async () => {
    const room = await ann.room('새 글')
    await ann.many(lines(20), room)
    await withChat(damso.url, { name: '늦은이' }, async (page) => {
      await enter(page, room)
      await page.evaluate(() => (location.hash = '#/lobby'))
      await page.log.getByRole('article').first().waitFor({ state: 'detached' })
      await ann.many(lines(60, 21), room)
      await until(() => page.wire.some(({ text }) => text?.startsWith('80번째')), 'all have come')
      await page.evaluate((hash) => (location.hash = hash), `#/${room}`)
      await message(page, '80번째').waitFor()
      const up = page.getByRole('button', { name: /오[전후] \d+:\d\d부터 새 메시지 60개/ })
      await up.click()
      await until(() => isInView(page, '21번째'), 'the first new message is in view')
      assert.deepEqual(await page.log.locator('.new').evaluate((line) => [line.previousElementSibling.innerText, line.nextElementSibling.innerText].map((text) => /(\d+)번째/.exec(text)[1])), ['20', '21'])
      assert.equal(await up.count(), 0)
      await shot(page, 'log-new')
      await ann.say('하나 더', { room })
      await page.getByRole('button', { name: /새 메시지 1개/ }).waitFor()
      await page.keyboard.press('Escape')
      await until(async () => (await fromEnd(page)) < 2, 'Esc leads to the end')
      assert.equal(await page.log.locator('.new').count(), 0)
    })
  })

  test('it follows what comes, stays where it is read, and remembers that by room', async () => {
    const room = await ann.room('자리')
    await ann.many(lines(80), room)
    await withChat(damso.url, { name: '자리지기' }, async (page) => {
      await enter(page, room)
      await ann.many(['a\nb\nc', 'd\ne'], room)
      await arrives(page, 'd\ne')
      assert.ok((await fromEnd(page)) < 2)
      await page.log.evaluate((log) => (log.scrollTop -= 900))
      await quiet()
      const topOf = () => message(page, '60번째').evaluate((row) => row.getBoundingClientRect().top)
      const before = await topOf()
      await ann.many(lines(5, 900), room)
      await page.getByRole('button', { name: /새 메시지 5개/ }).waitFor()
      assert.ok(Math.abs((await topOf()) - before) < DRIFT_MAX)
      await page.evaluate(() => (location.hash = '#/lobby'))
      await page.log.getByRole('article').first().waitFor({ state: 'detached' })
      await page.evaluate((hash) => (location.hash = hash), `#/${room}`)
      await until(async () => Math.abs((await topOf()) - before) < DRIFT_MAX, 'it is where it was')
      await page.say('나도 한마디')
      await until(async () => (await fromEnd(page)) < 2, 'what is said by oneself leads to the end')
    })
  })

  test('one’s own line is there in the next frame', () =>
    withChat(damso.url, { name: '빠른이' }, async (page) => {
      await page.field.fill('바로 보이기')
      await page.evaluate(() => {
        addEventListener('keydown', ({ key }) => {
          if (key === 'Enter') requestAnimationFrame(() => (window.inFrame = document.querySelector('.log').innerText.includes('바로 보이기')))
        }, true)
      })
      await page.field.press('Enter')
      assert.equal(await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(window.inFrame))))), true)
      const node = await message(page, '바로 보이기').elementHandle()
      await settled(page)
      assert.ok(await node.evaluate((row) => row.isConnected && !row.classList.contains('pending')), 'and keeps its node')
    }))
})

describe('what is told', () => {
  test('a link leads to its message at once, and an answer to what it answers', async () => {
    const room = await ann.room('링크')
    const said = await ann.many(lines(300, 1001), room)
    await ann.say('이 말 기억나요?', { room, reply: said[9] })
    await withChat(damso.url, { name: '이음이' }, async (page) => {
      await enter(page, room)
      const quote = message(page, '기억나요').locator('a.quote')
      assert.match(await quote.innerText(), /Ann 1010번째 줄/, 'though it is not loaded')
      await quote.click()
      await until(() => isInView(page, said[9]), 'what is answered is in view')
      await page.evaluate((hash) => (location.hash = hash), `#/${room}/${said[149]}`)
      await until(() => isInView(page, '1150번째'), 'so is what a link is to')
      await reload(page)
      await until(() => isInView(page, '1150번째'), 'and after a reload')
      await page.getByRole('button', { name: '최신 메시지로' }).click()
      await until(async () => (await fromEnd(page)) < 2 && (await isInView(page, '기억나요')), 'the button leads to the end')
    })
  })

  test('a room is read where its end is in view, and the line is drawn anew at what comes while nobody looks', async () => {
    const room = await ann.room('읽음')
    await ann.many(lines(60), room)
    await withChat(damso.url, { name: '한눈이' }, async (page) => {
      await enter(page, room)
      const read = () => page.wire.filter(({ up, t, room: where }) => up && t === 'read' && where === room).length
      await page.log.evaluate((log) => (log.scrollTop = 300))
      await quiet()
      const before = read()
      await ann.say('아직 안 본 글', { room })
      await page.getByRole('button', { name: /새 메시지 1개/ }).waitFor()
      await quiet()
      assert.equal(read(), before)
      await page.getByRole('button', { name: /새 메시지 1개/ }).click()
      await until(() => read() > before, 'it is read at the end')
      assert.equal(await page.log.locator('.new').count(), 0)
      await page.evaluate(() => {
        document.hasFocus = () => false
        dispatchEvent(new Event('blur'))
      })
      const unread = read()
      await ann.say('자리 비운 사이', { room })
      await page.log.locator('.new').waitFor()
      assert.match(await page.log.locator('.new').evaluate((line) => line.nextElementSibling.innerText), /자리 비운 사이/)
      await quiet()
      assert.equal(read(), unread)
      await page.evaluate(() => {
        delete document.hasFocus
        dispatchEvent(new Event('focus'))
      })
      await until(() => read() > unread, 'it is read by who looks')
      assert.equal(await page.log.locator('.new').count(), 1, 'the line stays')
    })
  })

  test('who can’t see it hears what is new: the first at once, then how many', async () => {
    const room = await ann.room('소리')
    await ann.say('전에 있던 말', { room })
    await withChat(damso.url, { name: '귀밝이' }, async (page) => {
      await enter(page, room)
      assert.equal(await page.log.getAttribute('aria-live'), 'off')
      const heard = page.locator('.log-frame > [aria-live=polite]')
      assert.equal(await heard.innerText(), '')
      await ann.say('**첫** 마디', { room })
      await until(async () => (await heard.textContent()) === 'Ann: 첫 마디', 'the first is said')
      await ann.many(['둘', '셋', '넷'], room)
      await until(async () => (await heard.textContent()) === '새 메시지 3개', 'the others are counted')
    })
  })

  test('what is refused says why, and can be taken back', () =>
    withChat(damso.url, { name: '막힌이' }, async (page) => {
      damso.type('/mute 막힌이')
      await quiet()
      await page.say('못 보낼 말')
      const refused = page.getByRole('alert').filter({ hasText: '못 보낼 말' })
      await refused.waitFor()
      assert.match(await refused.innerText(), /보내지 못했어요\. 지금은 읽기만 할 수 있어요\./)
      await shot(page, 'log-failed')
      damso.type('/mute 막힌이 0')
      await quiet()
      await refused.getByRole('button', { name: '다시 보내기' }).click()
      await arrives(page, '못 보낼 말')
      await settled(page)
      assert.equal(await refused.count(), 0)
    }))

  test('a long text is folded, and code can be copied', () =>
    withChat(damso.url, { name: '긴글이' }, async (page) => {
      await ann.say(`${'한 줄\n'.repeat(40)}끝줄`)
      await ann.say('```js\nconst a = 1\nconst b = 2\n```')
      const long = message(page, '끝줄')
      await long.waitFor()
      const height = () => long.evaluate((row) => row.offsetHeight)
      const folded = await height()
      await long.getByRole('button', { name: '모두 보기' }).click()
      assert.ok((await height()) > folded + 200)
      await page.evaluate(() => document.addEventListener('copy', () => (window.taken = String(getSelection())), true))
      await page.evaluate(() => Object.defineProperty(navigator, 'clipboard', { value: undefined }))
      const code = message(page, 'const a')
      await code.hover()
      await code.getByRole('button', { name: '글 복사' }).click()
      await code.getByRole('button', { name: '복사했어요' }).waitFor()
      assert.equal(await page.evaluate(() => window.taken || document.activeElement.tagName), 'const a = 1\nconst b = 2')
    }))
})

describe('what can be done with a message', () => {
  test('by keys alone', () =>
    withChat(damso.url, { name: '자판이' }, async (page) => {
      for (const text of ['하나', '둘', '셋']) await page.say(text)
      await settled(page)
      await message(page, '둘').focus()
      assert.match(await message(page, '둘').getAttribute('aria-label'), /^자판이, 오[전후] \d+:\d\d$/)
      await page.keyboard.press('j')
      assert.ok(await message(page, '셋').evaluate((row) => row === document.activeElement && row.tabIndex === 0))
      await page.keyboard.press('ArrowUp')
      await page.keyboard.press('Delete')
      await page.getByRole('button', { name: '정말 지울까요?' }).click()
      await until(async () => (await page.log.innerText()).includes('지운 메시지입니다.'), 'it is deleted')
      await message(page, '셋').focus()
      await page.keyboard.press('r')
      await page.field.fill('넷')
      await page.field.press('Enter')
      await settled(page)
      assert.match(await message(page, '넷').locator('a.quote').innerText(), /자판이 셋/)
      await message(page, '넷').focus()
      await page.keyboard.press('e')
      await until(() => page.evaluate(() => document.activeElement.value === '넷'), 'it is being edited')
      await page.keyboard.press('Escape')
      await message(page, '셋').locator('.text').click()
      await page.keyboard.type('이어 쓰기')
      assert.equal(await page.field.inputValue(), '이어 쓰기', 'who clicks goes on writing')
    }))

  test('by a finger', () =>
    withChat(damso.url, { name: '엄지', ...PHONE }, async (page) => {
      await page.field.fill('눌러 보세요')
      await page.getByRole('button', { name: '보내기' }).tap()
      await settled(page)
      const row = message(page, '눌러 보세요')
      await row.tap()
      const sizes = await row.getByRole('toolbar').getByRole('button').evaluateAll((all) => all.map((button) => button.getBoundingClientRect()).map(({ width, height }) => [width, height]))
      assert.ok(sizes.length === 4 && sizes.flat().every((px) => px >= 44), JSON.stringify(sizes))
      await row.getByRole('button', { name: '더 보기' }).tap()
      await shot(page, 'log-phone')
      await row.getByRole('button', { name: '지우기' }).tap()
      await row.getByRole('button', { name: '정말 지울까요?' }).tap()
      await until(async () => (await page.log.innerText()).includes('지운 메시지입니다.'), 'it is deleted')
    }))

  test('by the pointer: reactions, pins, links', () =>
    withChat(damso.url, { name: '손가락' }, async (page) => {
      const m = await ann.say('어때요?')
      await arrives(page, '어때요?')
      const row = message(page, '어때요?')
      await row.hover()
      await row.getByRole('button', { name: '더 보기' }).click()
      await row.getByRole('button', { name: '👍' }).click()
      const thumb = row.getByRole('button', { name: '👍 1' })
      assert.equal(await thumb.getAttribute('aria-pressed'), 'true')
      await settled(page)
      await ann.react(m, '👍')
      await row.getByRole('button', { name: '👍 2' }).click()
      await settled(page)
      assert.equal(await row.getByRole('button', { name: '👍 1' }).getAttribute('aria-pressed'), 'false')
      assert.equal(await row.getByRole('button', { name: '👍 1' }).getAttribute('title'), 'Ann')
      await row.getByRole('button', { name: '반응 남기기' }).last().click()
      await page.locator('.picker [data-glyph]').first().hover()
      await page.mouse.wheel(0, 200)
      await page.getByRole('searchbox').fill('고래')
      await page.getByRole('searchbox').press('Enter')
      await row.getByRole('button', { name: /^🐳|🐋/ }).waitFor()
      await row.hover()
      await row.getByRole('button', { name: '더 보기' }).click()
      await row.getByRole('button', { name: '고정하기' }).click()
      await until(async () => (await row.innerText()).includes('고정됨'), 'it is pinned')
    }))
})

/** Joins a room and goes there. */
async function enter(page, room, at = '') {
  await page.evaluate(
    async (room) => {
      const key = JSON.parse(localStorage['damso.key'])
      const me = await (await fetch('/api/v1/me', { headers: { authorization: `Bearer ${key}` } })).json()
      await fetch(`/api/v1/rooms/${room}/members/${me.user}`, { method: 'PUT', headers: { authorization: `Bearer ${key}` } })
    },
    room,
  )
  await page.evaluate((hash) => (location.hash = hash), `#/${room}${at}`)
  await page.log.getByRole('article').first().waitFor()
  await settled(page)
}
