/**
 * The plain page in a real browser: `DAMSO_BIN=path/to/damso node --test test/browser/plain.mjs`.
 *
 * DAMSO_BIN    the server's binary; each group of tests starts servers of its own
 * DAMSO_URL    instead of it: a running server; what needs to stop a server or to type at its console is skipped
 * SCREENSHOTS  a folder that gets pictures of the page
 * WEB_SIZE     full: all that takes long
 * CHROMIUM     the browser, /usr/bin/chromium if not given
 */
import assert from 'node:assert/strict'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { chromium } from 'playwright-core'
import { contrasts } from '../lib/contrasts.mjs'
import { startDamso } from '../lib/damso.mjs'
import { openDoor } from '../lib/door.mjs'
import { HOST } from '../lib/host.mjs'
import { ime } from '../lib/ime.mjs'
import { SCENES } from '../lib/scenes.mjs'

const { DAMSO_BIN, DAMSO_URL, SCREENSHOTS, WEB_SIZE, CHROMIUM = '/usr/bin/chromium' } = process.env
if (!DAMSO_BIN && !DAMSO_URL) throw new Error('DAMSO_BIN or DAMSO_URL must say which server to test')
const skip = DAMSO_BIN ? false : 'needs DAMSO_BIN'

const ARGS = `--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking
  --disable-component-update --disable-sync`.split(/\s+/)
const REFUSED = /^WebSocket connection to/ // what the browser itself says of a server that doesn't answer
const GONE = /^WebSocket connection to|ERR_CONNECTION_REFUSED/ // and of the icon, which it may fetch late
const SOON = 10_000 // ms in which what must happen has happened

let browser
let base
let own

before(async () => {
  browser = await chromium.launch({ executablePath: CHROMIUM, args: ARGS }) // with a profile of its own, thrown away after
  own = DAMSO_BIN && !DAMSO_URL ? await startDamso() : null
  base = DAMSO_URL?.replace(/\/$/, '') ?? own.url
})

after(async () => {
  await browser?.close()
  await own?.stop()
})

// A page and what it complained about

async function openPage(url, { init, ready = true, ...options } = {}) {
  const context = await browser.newContext({ locale: 'ko-KR', viewport: { width: 1280, height: 800 }, ...options })
  const page = await context.newPage()
  const seen = { console: [], errors: [], requests: [] }
  page.on('console', (message) => {
    seen.console.push(message.text())
    if (message.type() === 'error' || message.type() === 'warning') seen.errors.push(message.text())
  })
  page.on('pageerror', (error) => seen.errors.push(String(error)))
  page.on('request', (request) => seen.requests.push(request.url()))
  await page.addInitScript(() => {
    addEventListener('securitypolicyviolation', (event) => console.error(`violates ${event.violatedDirective}: ${event.blockedURI}`))
  })
  if (init) await page.addInitScript(init)
  await page.goto(url)
  if (ready) await until(() => seen.console.includes('connected'))
  return Object.assign(page, { seen, field: page.locator('#msg'), status: page.locator('#status'), newer: page.locator('#newer') })
}

/** Opens the page, runs the test, and sees that nothing was complained about, but for what the test forgives. */
async function withPage(url, options, run) {
  const page = await openPage(url, options)
  try {
    await run(page)
    assert.deepEqual(page.seen.errors.filter((error) => !options.forgive?.test(error)), [])
    assert.deepEqual(page.seen.requests.filter((request) => new URL(request).origin !== new URL(url).origin), [])
  } finally {
    await page.context().close()
  }
}

async function until(holds, what = holds, within = SOON) {
  const deadline = Date.now() + within
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`did not come true: ${what}`)
    await new Promise((done) => setTimeout(done, 20))
  }
}

const quiet = (ms = 400) => new Promise((done) => setTimeout(done, ms))

const lines = (page) =>
  page.evaluate(() =>
    [...document.querySelectorAll('.line')].map((line) => `${line.parentElement.querySelector('.who').textContent} :: ${line.textContent}`),
  )

const texts = (page) => page.locator('.line').allTextContents()

const arrives = (page, text) => until(async () => (await texts(page)).includes(text), text)

const focused = (page) => page.evaluate(() => document.activeElement.id)

const atEnd = (page) =>
  page.evaluate(() => {
    const { scrollHeight, scrollTop, clientHeight } = document.getElementById('chatArea')
    return scrollHeight - scrollTop - clientHeight < 2
  })

async function withDoor(run, options = {}) {
  const door = await openDoor(base)
  try {
    door.manner = options.manner ?? 'open'
    await withPage(`${door.url}/plain`, options, (page) => run(page, door))
  } finally {
    await door.close()
  }
}

const many = (n, who = '10.0.0.7:50007') => Array.from({ length: n }, (_, i) => `${who} :: ${i}번째 줄`)

/** A line of somebody who came without a name. */
const guest = (text) => new RegExp(`^${HOST.replaceAll('.', '\\.')}:\\d+ :: ${text}`)

// Tests

describe('a chat', () => {
  test('two browsers talk in Korean and in English', async () => {
    await withPage(`${base}/plain`, {}, (ko) =>
      withPage(`${base}/plain`, { locale: 'en-GB' }, async (en) => {
        assert.equal(await ko.title(), '채팅')
        assert.equal(await ko.getAttribute('html', 'lang'), 'ko')
        assert.equal(await en.getAttribute('html', 'lang'), 'en')
        assert.equal(await ko.getByRole('button', { name: '전송' }).count(), 1)

        await ko.field.fill('안녕하세요')
        await ko.keyboard.press('Enter')
        await arrives(en, '안녕하세요')
        await arrives(ko, '안녕하세요')
        assert.equal(await ko.field.inputValue(), '')
        assert.equal(await focused(ko), 'msg')

        await en.field.fill('Hello there')
        await en.getByRole('button', { name: 'Send' }).click()
        await arrives(ko, 'Hello there')
        assert.equal(await en.field.inputValue(), '')
        assert.equal(await focused(en), 'msg')

        const got = await lines(ko)
        assert.deepEqual(got, (await lines(en)).slice(-2))
        for (const line of got) assert.match(line, guest(''))
        assert.notEqual(got[0].split(' :: ')[0], got[1].split(' :: ')[0])
      }),
    )
  })

  test('markup is text', () =>
    withPage(`${base}/plain`, {}, async (page) => {
      const text = '<b>bold</b> & <img src=x onerror=alert(1)> a > b :: c'
      await page.field.fill(text)
      await page.keyboard.press('Enter')
      await arrives(page, text)
      assert.equal(await page.locator('#chatArea b, #chatArea img').count(), 0)
    }))

  test('a message keeps its line breaks and nobody is forged by them', () =>
    withPage(`${base}/plain`, {}, async (page) => {
      await page.field.fill('하나')
      await page.keyboard.press('Shift+Enter')
      await page.keyboard.type('Administrator :: two')
      await page.keyboard.press('Enter')
      await arrives(page, '하나\nAdministrator :: two')
      assert.equal(await page.locator('.admin').count(), 0)
    }))

  test('one Enter sends a composed line to everybody', () =>
    withPage(`${base}/plain`, {}, (one) =>
      withPage(`${base}/plain`, {}, async (two) => {
        const hands = await ime(one)
        await one.field.focus()
        await hands.hangul('안녕하세요')
        await hands.taken()
        await hands.commit('요')
        await hands.up()
        await arrives(two, '안녕하세요')
        await quiet()
        assert.deepEqual(await texts(two), ['안녕하세요'])
        assert.equal(await one.field.inputValue(), '')
      }),
    ))

  test('what the server refuses, it says to its author alone', () =>
    withPage(`${base}/plain`, {}, (hasty) =>
      withPage(`${base}/plain`, {}, async (other) => {
        for (let n = 0; n < 14; n++) {
          await hasty.field.fill(`${n}`)
          await hasty.field.press('Enter')
        }
        await hasty.locator('.house .line').first().waitFor()
        await arrives(other, '9')
        assert.equal(await other.locator('.house').count(), 0)
      }),
    ))

  test('an empty field sends nothing', () =>
    withDoor(async (page, door) => {
      await page.field.press('Enter')
      await page.getByRole('button', { name: '전송' }).click()
      await page.field.fill('   ')
      await page.field.press('Enter')
      await page.field.fill('끝')
      await page.field.press('Enter')
      await until(() => door.received.length > 0)
      assert.deepEqual(door.received, ['끝'])
      assert.deepEqual([door.paths, door.protocols], [['/ws'], [undefined]])
    }))

  test('the operator speaks as Administrator', { skip }, async () => {
    const damso = await startDamso({ console: true })
    try {
      await withPage(`${damso.url}/plain`, {}, async (page) => {
        damso.type('오늘 밤 점검합니다')
        await arrives(page, '오늘 밤 점검합니다')
        assert.deepEqual(await lines(page), ['Administrator :: 오늘 밤 점검합니다'])
        assert.equal(await page.locator('.admin .who').textContent(), 'Administrator')
      })
    } finally {
      await damso.stop()
    }
  })
})

describe('the log', () => {
  test('lines of one author stand under one name', () =>
    withDoor(async (page, door) => {
      door.say('민수 :: 하나', '민수 :: 둘', '영희 :: 셋', '민수 :: 넷', 'Administrator :: 다섯', 'damso :: 너무 빠릅니다')
      await arrives(page, '너무 빠릅니다')
      assert.deepEqual(await page.locator('.who').allTextContents(), ['민수', '영희', '민수', 'Administrator', 'damso'])
      assert.deepEqual(await page.locator('.admin .line, .house .line').allTextContents(), ['다섯', '너무 빠릅니다'])
    }))

  test('follows the newest line, unless scrolled up', () =>
    withDoor(async (page, door) => {
      door.say(...many(60))
      await arrives(page, '59번째 줄')
      await until(() => atEnd(page))
      assert.equal(await page.newer.isVisible(), false)

      await page.mouse.move(600, 300)
      await page.mouse.wheel(0, -400)
      await until(async () => !(await atEnd(page)))
      await quiet()
      const top = await page.evaluate(() => document.getElementById('chatArea').scrollTop)
      door.say('민수 :: 새 줄', '민수 :: 또 새 줄')
      await arrives(page, '또 새 줄')
      await page.newer.waitFor()
      assert.match(await page.newer.textContent(), /^↓ .*2/)
      assert.equal(await page.evaluate(() => document.getElementById('chatArea').scrollTop), top)

      await page.newer.click()
      await until(() => atEnd(page))
      assert.equal(await page.newer.isVisible(), false)
      assert.equal(await focused(page), 'msg')
      door.say('민수 :: 마지막')
      await arrives(page, '마지막')
      await until(() => atEnd(page))
    }))

  test('scrolling down to the end follows again, and so does sending', () =>
    withDoor(async (page, door) => {
      door.say(...many(60))
      await arrives(page, '59번째 줄')
      await page.mouse.move(600, 300)
      for (const back of [() => page.mouse.wheel(0, 5000), () => page.field.fill('내 말').then(() => page.field.press('Enter'))]) {
        await page.mouse.wheel(0, -400)
        await until(async () => !(await atEnd(page)))
        await quiet()
        door.say('민수 :: 줄')
        await page.newer.waitFor()
        await back()
        await until(() => atEnd(page))
        await until(async () => !(await page.newer.isVisible()))
      }
    }))

  test('keeps its end in view when the window or a phone’s keyboard changes the height', () =>
    withDoor(async (page, door) => {
      door.say(...many(60))
      await arrives(page, '59번째 줄')
      for (const height of [400, 900, 320, 800]) {
        await page.setViewportSize({ width: 1280, height })
        await until(async () => (await page.field.boundingBox()).y + 40 < height && (await atEnd(page)), `at ${height}`)
        assert.equal(await page.evaluate(() => document.documentElement.scrollHeight <= innerHeight), true)
      }
    }))

  test('holds two thousand lines, and the place of who reads above', () =>
    withDoor(async (page, door) => {
      door.say(...many(1990))
      await until(async () => (await page.locator('.line').count()) === 1990)
      await until(() => atEnd(page))
      await page.evaluate(() => (document.getElementById('chatArea').scrollTop -= 3000))
      await quiet()
      const place = () => page.getByText('1900번째 줄', { exact: true }).boundingBox()
      const before = await place()
      door.say(...many(300, '민수'))
      await arrives(page, '299번째 줄')
      const kept = await page.locator('.line').count()
      assert.ok(kept > 1800 && kept <= 2000, `${kept} lines`)
      const { y } = await place()
      assert.ok(Math.abs(y - before.y) < 3, `moved from ${before.y} to ${y}`)
    }))

  test('is a log that does not read itself aloud; a quiet voice counts', () =>
    withDoor(async (page, door) => {
      const log = page.getByRole('log')
      assert.equal(await log.getAttribute('aria-live'), 'off')
      assert.equal(await log.getAttribute('aria-label'), '대화')
      const heard = page.locator('#heard')
      assert.equal(await heard.getAttribute('aria-live'), 'polite')
      door.say('민수 :: 하나')
      await until(async () => (await heard.textContent()) === '민수 :: 하나')
      door.say('민수 :: 둘', '민수 :: 셋', '민수 :: 넷')
      await until(async () => (await heard.textContent()) === '새 메시지 3개')
    }))
})

describe('the connection', () => {
  test('what is sent before it opens is sent when it opens, in order, once', () =>
    withDoor(
      async (page, door) => {
        for (const text of ['하나', '둘', '셋']) {
          await page.field.fill(text)
          await page.field.press('Enter')
          assert.equal(await page.field.inputValue(), '')
        }
        assert.deepEqual(door.received, [])
        door.release()
        await until(() => door.received.length >= 3)
        await quiet()
        assert.deepEqual(door.received, ['하나', '둘', '셋'])
      },
      { manner: 'hold', ready: false },
    ))

  test('comes back to a server that was killed and started again, and the chat goes on', { skip }, async () => {
    let damso = await startDamso()
    try {
      await withPage(`${damso.url}/plain`, { forgive: GONE }, async (page) => {
        await page.field.fill('전')
        await page.field.press('Enter')
        await arrives(page, '전')
        assert.equal(await page.status.textContent(), '')

        await damso.stop('SIGKILL')
        await until(async () => /연결이 끊겨/.test(await page.status.textContent()))
        assert.equal(await page.status.isVisible(), true)
        await page.field.fill('사이')
        await page.field.press('Enter')

        damso = await startDamso({ listen: new URL(damso.url).host })
        await until(async () => (await page.status.textContent()) === '')
        await arrives(page, '사이')
        await page.field.fill('후')
        await page.field.press('Enter')
        await arrives(page, '후')
        assert.deepEqual(await texts(page), ['전', '사이', '후'])
        assert.equal(page.seen.console.filter((text) => text === 'connected').length, 2)
      })
    } finally {
      await damso.stop()
    }
  })

  test('fourteen lines typed while it was away all arrive: they go at the pace the server takes', { skip }, async () => {
    let damso = await startDamso()
    try {
      await withPage(`${damso.url}/plain`, { forgive: GONE }, async (page) => {
        await damso.stop('SIGKILL')
        await until(async () => (await page.status.textContent()) !== '')
        const typed = Array.from({ length: 14 }, (_, n) => `${n}번`)
        for (const text of typed) {
          await page.field.fill(text)
          await page.field.press('Enter')
        }
        damso = await startDamso({ listen: new URL(damso.url).host })
        await until(async () => (await page.locator('.line').count()) >= 14, 'fourteen lines', 20_000)
        await quiet()
        assert.deepEqual(await texts(page), typed)
      })
    } finally {
      await damso.stop()
    }
  })

  for (const [locale, missing, refused, lost] of [
    ['ko-KR', /웹소켓이 없어/, /아직 연결하지 못했/, /연결이 끊겨/],
    ['en-GB', /has no WebSocket/, /can’t be reached yet/, /was lost/],
  ]) {
    const says = (page, words) => until(async () => words.test(await page.status.textContent()), words)

    test(`one polite sentence in ${locale.slice(0, 2)} when it is missing, refused or lost`, async () => {
      const door = await openDoor(base)
      try {
        const url = `${door.url}/plain`
        await withPage(url, { locale, ready: false, init: () => delete window.WebSocket }, async (page) => {
          await says(page, missing)
          assert.equal(await page.status.getAttribute('role'), 'status')
          assert.equal((await page.status.textContent()).match(/[.!?]/g).length, 1)
          assert.equal(await page.field.isDisabled(), true)
        })
        door.manner = 'refuse'
        await withPage(url, { locale, ready: false, forgive: REFUSED }, async (page) => {
          await says(page, refused)
          door.manner = 'open'
          await until(async () => (await page.status.textContent()) === '')
          door.manner = 'refuse'
          door.drop()
          await says(page, lost)
          assert.equal((await page.status.textContent()).match(/[.!?]/g).length, 1)
          assert.equal(await page.status.isVisible(), true)
        })
      } finally {
        await door.close()
      }
    })
  }

  test('the network’s return ends the wait', () =>
    withDoor(
      async (page, door) => {
        door.drop(1008) // is taken as "not now": the wait is 15 s at least
        await until(async () => (await page.status.textContent()) !== '')
        await page.evaluate(() => dispatchEvent(new Event('online')))
        await until(async () => (await page.status.textContent()) === '')
        assert.equal(door.paths.length, 2)
      },
      {},
    ))

  test('a reason to be turned away stands there once, not once for each try', () =>
    withDoor(async (page, door) => {
      for (let n = 0; n < 3; n++) {
        door.say('damso :: 손님은 받지 않습니다')
        await arrives(page, '손님은 받지 않습니다')
        door.drop(1008)
        await until(async () => (await page.status.textContent()) !== '')
        await page.evaluate(() => dispatchEvent(new Event('online')))
        await until(async () => (await page.status.textContent()) === '')
      }
      assert.deepEqual(await texts(page), ['손님은 받지 않습니다'])
    }))

  test('leaving the page closes with 1001', () =>
    withDoor(async (page, door) => {
      await page.goto('about:blank')
      await until(() => door.codes.length === 1)
      assert.deepEqual(door.codes, [1001])
      page.seen.requests.length = 0
    }))
})

describe('one Enter', () => {
  const composes = (name, steps) =>
    test(name, () =>
      withDoor(async (page, door) => {
        const hands = await ime(page)
        await page.field.focus()
        await steps(hands, page, async (sent, value = '') => {
          await quiet()
          assert.deepEqual({ sent: door.received, value: await page.field.inputValue() }, { sent, value })
        })
      }),
    )

  composes('A: the key first, then the end of composition', async (hands, page, check) => {
    await hands.hangul('안녕하세요')
    await hands.taken()
    await hands.commit('요')
    await hands.up()
    await check(['안녕하세요'])
  })

  composes('B: the same and a second keydown', async (hands, page, check) => {
    await hands.hangul('안녕하세요')
    await hands.taken()
    await hands.commit('요')
    await hands.down()
    await hands.up()
    await check(['안녕하세요'])
  })

  composes('B without a pause', async (hands, page, check) => {
    await hands.hangul('안녕하세요')
    await Promise.all([hands.taken(), hands.commit('요'), hands.down(), hands.up()])
    await check(['안녕하세요'])
  })

  composes('C: the end of composition first, then the key', async (hands, page, check) => {
    await hands.hangul('안녕하세요')
    await Promise.all([hands.commit('요'), hands.taken()])
    await hands.up()
    await check(['안녕하세요'])
  })

  composes('D: the key is called Process', async (hands, page, check) => {
    await hands.hangul('안녕하세요')
    await hands.taken({ key: 'Process' })
    await hands.commit('요')
    await hands.up()
    await check(['안녕하세요'])
  })

  for (const code of ['Enter', '']) {
    composes(`D with a second keydown, the first with the code "${code}"`, async (hands, page, check) => {
      await hands.hangul('안녕하세요')
      await hands.taken({ key: 'Process', code })
      await hands.commit('요')
      await hands.down()
      await hands.up()
      await check(['안녕하세요'])
    })
  }

  composes('a candidate for Hanja sends nothing', async (hands, page, check) => {
    await hands.hangul('대한')
    await hands.taken()
    await hands.commit('韓')
    await hands.up()
    await check([], '대韓')
    await hands.down()
    await hands.up()
    await check(['대韓'])
  })

  composes('a Japanese candidate sends nothing', async (hands, page, check) => {
    for (const text of ['に', 'にほ', 'にほん', '日本']) await hands.compose(text)
    await hands.taken({ key: 'Process' })
    await hands.commit('日本')
    await hands.up()
    await check([], '日本')
    await hands.down()
    await hands.up()
    await check(['日本'])
  })

  composes('a Japanese candidate in Safari’s order sends nothing', async (hands, page, check) => {
    for (const text of ['にほん', '日本']) await hands.compose(text)
    await Promise.all([hands.commit('日本'), hands.taken()])
    await hands.up()
    await check([], '日本')
  })

  composes('line after line, nothing is left behind', async (hands, page, check) => {
    for (const text of ['네', '알겠습니다', '그럼 이만']) {
      await hands.hangul(text)
      await hands.taken()
      await hands.commit(text.at(-1))
      await hands.up()
    }
    await check(['네', '알겠습니다', '그럼 이만'])
  })

  composes('the button takes the open syllable with it', async (hands, page, check) => {
    await hands.hangul('안녕')
    await page.getByRole('button', { name: '전송' }).click()
    await check(['안녕'])
    assert.equal(await focused(page), 'msg')
  })
})

describe('the looks', () => {
  for (const colorScheme of ['light', 'dark']) {
    test(`${colorScheme}: every text has a contrast of 4.5 or more`, () =>
      withDoor(
        async (page, door) => {
          door.say(...Array.from({ length: 30 }, (_, n) => `10.0.0.7:${50000 + n} :: ${n}`), 'Administrator :: 점검', 'damso :: 너무 빠릅니다')
          await arrives(page, '너무 빠릅니다')
          const poor = await page.evaluate(contrasts)
          assert.deepEqual(poor.filter(({ ratio }) => ratio < 4.5), [])
          assert.ok(poor.length > 60)
        },
        { colorScheme },
      ))
  }

  test('the themes differ', async () => {
    const paper = {}
    for (const colorScheme of ['light', 'dark']) {
      await withDoor(async (page) => (paper[colorScheme] = await page.evaluate(() => getComputedStyle(document.body).backgroundColor)), { colorScheme })
    }
    assert.deepEqual(paper, { light: 'rgb(251, 248, 241)', dark: 'rgb(20, 25, 26)' })
  })

  test('a phone of 390 px shows all, with room for a thumb', () =>
    withDoor(
      async (page, door) => {
        door.say(`[2001:db8:85a3:8d3:1319:8a2e:370:7348]:50123 :: ${'가나다라'.repeat(60)} ${'https://example.com/'.repeat(8)}`)
        await until(async () => (await texts(page)).length === 1)
        assert.equal(await page.evaluate(() => Math.max(document.documentElement.scrollWidth, document.getElementById('chatArea').scrollWidth)), 390)
        for (const control of [page.field, page.getByRole('button', { name: '전송' })]) {
          const box = await control.boundingBox()
          assert.ok(box.height >= 44 && box.y + box.height <= 844 && box.x + box.width <= 390, JSON.stringify(box))
        }
        await page.field.fill('여러 줄\n'.repeat(30))
        const { y, height } = await page.field.boundingBox()
        assert.ok(height < 360 && y + height <= 844, 'the field grows, with an end')
      },
      { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true },
    ))

  test('zooming by two fingers leaves the layout alone', () =>
    withDoor(
      async (page) => {
        const height = () => page.evaluate(() => [visualViewport.scale, document.body.offsetHeight])
        const cdp = await page.context().newCDPSession(page)
        await cdp.send('Emulation.setPageScaleFactor', { pageScaleFactor: 2 })
        await until(async () => (await height())[0] === 2)
        await quiet()
        assert.deepEqual(await height(), [2, 844])
      },
      { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true },
    ))

  test('pictures', { skip: SCREENSHOTS ? false : 'SCREENSHOTS names no folder' }, async () => {
    await mkdir(SCREENSHOTS, { recursive: true })
    const sizes = { desktop: { viewport: { width: 1280, height: 800 } }, phone: { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true, deviceScaleFactor: 2 } }
    for (const [size, options] of Object.entries(sizes)) {
      for (const colorScheme of ['light', 'dark']) {
        for (const [language, locale] of [['ko', 'ko-KR'], ['en', 'en-GB']]) {
          // As pictures.mjs: the usual run doesn't see each with each.
          const isUsual = (language === 'ko') === (colorScheme === 'light') && (language === 'ko') === (size === 'desktop')
          if (WEB_SIZE !== 'full' && !isUsual) continue
          await withDoor(
            async (page, door) => {
              const shoot = (name) => page.screenshot({ path: join(SCREENSHOTS, `plain-${name}-${size}-${colorScheme}-${language}.png`) })
              await shoot('empty')
              door.say(...SCENES[language])
              await arrives(page, SCENES[language].at(-1).split(' :: ')[1])
              await page.field.fill(language === 'ko' ? '네, 저도 갈게요' : 'Sounds good to me')
              await shoot('chat')
              door.manner = 'refuse'
              door.say(...many(20))
              await arrives(page, '19번째 줄')
              await until(() => atEnd(page))
              await page.evaluate(() => (document.getElementById('chatArea').scrollTop = 60))
              await quiet(100)
              door.say('민수 :: …')
              await page.newer.waitFor()
              door.drop()
              await until(async () => (await page.status.textContent()) !== '')
              await shoot('lost')
            },
            { colorScheme, locale, forgive: REFUSED, ...options },
          )
        }
      }
    }
    await withDoor(
      async (page, door) => {
        door.say(...SCENES.ko)
        await arrives(page, SCENES.ko.at(-1).split(' :: ')[1])
        await page.screenshot({ path: join(SCREENSHOTS, 'plain-chat-desktop-forced-colors.png') })
      },
      { forcedColors: 'active' },
    )
  })
})

describe('the tutorial’s own page', { skip }, () => {
  const CDN = [
    ['**/ajax.googleapis.com/**/jquery.min.js', 'text/javascript', 'jquery/dist/jquery.min.js'],
    ['**/maxcdn.bootstrapcdn.com/**/*.js', 'text/javascript'],
    ['**/maxcdn.bootstrapcdn.com/**/*.css', 'text/css'],
  ]
  const ADDRESS = 'ws://192.168.10.1(아이피주소):8765'
  let damso
  let folder

  before(async () => {
    damso = await startDamso({ console: true, args: ['--allow-origin', 'null'] })
    folder = await mkdtemp(join(tmpdir(), 'damso-tutorial-'))
    const page = await readFile(new URL('../fixtures/tutorial.html', import.meta.url), 'utf8')
    assert.ok(page.includes(ADDRESS))
    await writeFile(join(folder, 'client.html'), page.replace(ADDRESS, damso.url.replace('http', 'ws')))
  })

  after(async () => {
    await damso?.stop()
    if (folder) await rm(folder, { recursive: true })
  })

  async function openTutorial() {
    const context = await browser.newContext({ locale: 'ko-KR' })
    const page = await context.newPage()
    const seen = []
    page.on('console', (message) => seen.push(message.text()))
    for (const [url, contentType, file] of CDN) {
      const body = file ? await readFile(createRequire(import.meta.url).resolve(file), 'utf8') : ''
      await page.route(url, (route) => route.fulfill({ contentType, body }))
    }
    await page.goto(pathToFileURL(join(folder, 'client.html')).href)
    await until(() => seen.includes('connected'))
    return page
  }

  test('two of them, opened from a file, talk in Korean and hear the Administrator', async () => {
    const [one, two] = [await openTutorial(), await openTutorial()]
    const shown = (page) => page.evaluate(() => document.getElementById('chatArea').innerText.trim().split('\n'))
    await one.fill('#msg', '안녕하세요')
    await one.press('#msg', 'Enter')
    await until(async () => (await shown(two)).some((line) => line.endsWith(' :: 안녕하세요')))
    await two.fill('#msg', '반갑습니다')
    await two.click('input[type=button]')
    await until(async () => (await shown(one)).some((line) => line.endsWith(' :: 반갑습니다')))
    damso.type('공지합니다')
    for (const page of [one, two]) {
      await until(async () => (await shown(page)).length === 3)
      const [first, second, third] = await shown(page)
      assert.match(first, guest('안녕하세요$'))
      assert.match(second, guest('반갑습니다$'))
      assert.equal(third, 'Administrator :: 공지합니다')
    }
    await Promise.all([one, two].map((page) => page.context().close()))
  })
})
