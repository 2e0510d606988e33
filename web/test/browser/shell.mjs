/** The frame of the browser client: the first minute, rooms, keys, phones, settings. As ./app.mjs. */
import assert from 'node:assert/strict'
import { appendFile, cp } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import jsQR from 'jsqr'
import { startDamso, withDamso, withFolder } from '../lib/damso.mjs'
import { HOST } from '../lib/host.mjs'
import { arrives, AWAY, closeBrowser, DESKTOP, entered, newKey, openChat, PHONE, quiet, reload, shot, until, withChat } from '../lib/page.mjs'

let damso

before(async () => {
  damso = await startDamso({ lifted: true })
})

after(async () => {
  await closeBrowser()
  await damso?.stop()
})

const ask = (key, method, path, body) =>
  fetch(`${damso.url}/api/v1${path}`, {
    method,
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: body && JSON.stringify(body),
  }).then((answer) => (answer.status === 204 ? null : answer.json()))
const keyOf = (page) => page.evaluate(() => JSON.parse(localStorage['damso.key']))
const isSecure = (page) => page.evaluate(() => isSecureContext)
const sideways = (page) => page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
const room = (page, name) => page.getByRole('navigation').getByRole('link', { name })
const title = (page) => page.locator('.room-head h1')

test('the first minute: a name, and one is in the lobby; a name that is taken costs one press', () =>
  withChat(damso.url, { name: '지원' }, async (first) => {
    assert.equal(await title(first).innerText(), 'lobby')
    await withChat(damso.url, { name: '지원', ready: false }, async (page) => {
      await page.getByText('지원 — 이미 다른 분이 쓰는 이름이에요.').waitFor()
      assert.equal(await page.locator('input[name=name]').inputValue(), '지원')
      await shot(page, 'first-taken')
      await page.locator('.suggest button').click()
      await entered(page)
      assert.match(await page.locator('.me b').innerText(), /^지원.+/)
      await reload(page)
      assert.equal(await page.locator('.first').count(), 0)
    })
  }))

test('a name that cannot be anybody’s is refused with a reason, and another one is taken', () =>
  withChat(damso.url, { name: 'Administrator', ready: false }, async (page) => {
    const why = page.getByRole('alert')
    await why.waitFor()
    assert.match(await why.innerText(), /이름/)
    assert.equal(await page.locator('input[name=name]').inputValue(), 'Administrator')
    await page.locator('input[name=name]').fill('아무개')
    await page.keyboard.press('Enter')
    await entered(page)
  }))

test('where nothing can be kept one can still talk', () =>
  withChat(
    damso.url,
    {
      name: '손님',
      init: () => {
        const forbid = () => {
          throw new DOMException('denied', 'SecurityError')
        }
        Object.defineProperty(window, 'localStorage', { get: forbid })
        Object.defineProperty(window, 'indexedDB', { get: forbid })
      },
    },
    async (page) => {
      await page.say('잠깐 들렀어요')
      await arrives(page, '잠깐 들렀어요')
    },
  ))

test('rooms: unread ones are told, kinds are seen, nothing jumps under the pointer', () =>
  withChat(damso.url, { name: '방지기' }, (page) =>
    withChat(damso.url, { name: '글쓴이' }, async (other) => {
      const [mine, theirs] = [await keyOf(page), await keyOf(other)]
      const ids = []
      for (const name of ['가람', '나루', '다솜', '이름이 아주 길어서 줄이지 않으면 옆으로 넘치는 대화방']) {
        const { id } = await ask(mine, 'POST', '/rooms', { kind: 'public', name })
        await ask(theirs, 'PUT', `/rooms/${id}/members/${(await ask(theirs, 'GET', '/me')).user}`)
        ids.push(id)
      }
      await room(page, '다솜').waitFor()
      const names = () => page.locator('.room .name').allInnerTexts()
      assert.equal(await page.locator('.room-list').evaluate((list) => list.scrollWidth - list.clientWidth), 0, 'nothing lies beside it')
      const before = await names()
      await page.locator('.room-list').hover()
      await ask(theirs, 'POST', `/rooms/${ids[2]}/messages`, { nonce: 'n1', text: '@방지기 보세요' })
      await page.locator('.room.unread', { hasText: '다솜' }).waitFor()
      assert.deepEqual(await names(), before)
      await page.locator('.log').hover()
      await until(async () => (await names())[0] === '다솜', 'the unread room is above')
      await until(async () => /^\(1\) lobby · 담소$/.test(await page.title()), 'the title counts')
      assert.match(await room(page, '다솜').innerText(), /@1/)
      await room(page, '다솜').click()
      await arrives(page, '@방지기 보세요')
      await until(async () => (await page.title()) === '다솜 · 담소', 'it is read')
      await page.goBack()
      await until(async () => (await title(page).innerText()) === 'lobby')
    }),
  ))

test('keys: rooms, the list of keys, Esc; and none of the input method’s', () =>
  withChat(damso.url, { name: '손가락' }, async (page) => {
    const mine = await keyOf(page)
    for (const name of ['첫째', '둘째']) await ask(mine, 'POST', '/rooms', { kind: 'public', name })
    await room(page, '첫째').waitFor()
    const order = await page.locator('.room .name').allInnerTexts()
    const at = order.indexOf('lobby')
    await page.field.focus()
    await page.keyboard.press('Alt+ArrowDown')
    await until(async () => (await title(page).innerText()) === order[(at + 1) % order.length], 'the room below')
    await page.keyboard.press('Alt+ArrowUp')
    await until(async () => (await title(page).innerText()) === 'lobby', 'the room above')
    await page.keyboard.press('Shift+?')
    assert.equal(await page.field.inputValue(), '?')
    await page.field.fill('')
    await page.locator('.room-head button').last().focus()
    await page.keyboard.press('Shift+?')
    await page.getByRole('dialog', { name: '단축키' }).waitFor()
    await shot(page, 'keys')
    await page.keyboard.press('Escape')
    await until(async () => (await page.getByRole('dialog').count()) === 0, 'closed')
    assert.ok(await page.locator('.room-head button').last().evaluate((button) => button === document.activeElement), 'the focus is back')
    const taken = await page.evaluate(() => {
      const press = (init) => document.body.dispatchEvent(new KeyboardEvent('keydown', { bubbles: true, cancelable: true, ...init }))
      return [
        { key: 'HangulMode', code: 'Lang1' },
        { key: 'HanjaMode', code: 'Lang2' },
        { key: '.', code: 'Period', metaKey: true },
        { key: 'k', code: 'KeyK', ctrlKey: true, isComposing: true },
        { key: 'Process', code: 'KeyK', ctrlKey: true, keyCode: 229 },
        { key: '/', isComposing: true },
        { key: 'f', code: 'KeyF', ctrlKey: true },
      ].filter((init) => !press(init))
    })
    assert.deepEqual(taken, [])
    const find = () => page.evaluate(() => document.body.dispatchEvent(new KeyboardEvent('keydown', { key: 'f', code: 'KeyF', ctrlKey: true, bubbles: true, cancelable: true })))
    await quiet(1600)
    assert.ok(await find(), 'the browser’s own')
    assert.equal(await find(), false, 'the second press is ours')
    await page.locator('.pane').waitFor()
    await page.keyboard.press('Escape')
    await until(async () => (await page.locator('.pane').count()) === 0, 'closed')
  }))

test('without a mouse: in, to a room and back, settings, away', async () => {
  const page = await openChat(damso.url, { name: '', ready: false, key: undefined, context: undefined }).catch((error) => error)
  assert.ok(page.keyboard, page.stack)
  try {
    assert.ok(await page.locator('input[name=name]').evaluate((field) => field === document.activeElement), 'the field has the focus')
    await page.keyboard.type('건반')
    await page.keyboard.press('Enter')
    await entered(page)
    const focused = () => page.evaluate(() => document.activeElement?.getAttribute('aria-label') ?? document.activeElement?.textContent?.trim())
    for (let i = 0; i < 40 && (await focused()) !== '설정'; i++) await page.keyboard.press('Tab')
    assert.equal(await focused(), '설정')
    await page.keyboard.press('Enter')
    await page.getByRole('dialog', { name: '설정' }).waitFor()
    await page.keyboard.press('Escape')
    await until(async () => (await focused()) === '설정', 'the focus is back')
  } finally {
    await page.context().close()
  }
})

for (const lang of ['ko', 'en'])
  for (const theme of ['light', 'dark'])
    for (const [size, options] of Object.entries({ 1280: DESKTOP, 390: PHONE }))
      test(`it looks as it should: ${lang}, ${theme}, ${size}`, () =>
        withChat(damso.url, { key: newKey(), name: `${lang}${theme}${size}`, locale: lang === 'ko' ? 'ko-KR' : 'en-GB', theme, ...options }, async (page) => {
          const look = `${lang}-${theme}-${size}`
          assert.equal(await page.evaluate(() => getComputedStyle(document.documentElement).colorScheme), 'light dark')
          const luminance = await page.evaluate(() => /\d+/.exec(getComputedStyle(document.documentElement).backgroundColor)?.[0])
          assert.equal(Number(luminance) > 128, theme === 'light')
          await shot(page, `chat-${look}`)
          assert.equal(await sideways(page), 0)
          if (size === '390') {
            await page.locator('.room-head button').first().click()
            await page.locator('.sidebar').waitFor()
            await shot(page, `rooms-${look}`)
            const small = await page.locator('.sidebar :is(button, a)').evaluateAll((all) => all.filter((one) => one.getBoundingClientRect().height < 44).map((one) => one.outerHTML))
            assert.deepEqual(small, [])
          }
          await page.locator('.me button').last().click()
          await page.getByRole('dialog').waitFor()
          await quiet(200)
          await shot(page, `settings-${look}`)
          assert.equal(await sideways(page), 0)
        }))

test('the theme that was chosen is there before the first paint, and in other tabs', () =>
  withChat(damso.url, { name: '밤' }, async (page) => {
    await page.locator('.me button').last().click()
    await page.getByRole('radio', { name: '어둡게' }).check({ force: true })
    await until(() => page.evaluate(() => getComputedStyle(document.documentElement).colorScheme === 'dark'), 'dark')
    await page.context().newPage().then(async (second) => {
      await second.route('**/main.js', () => {}) // nothing of ours runs but what comes before the first paint
      await second.goto(damso.url, { waitUntil: 'commit' })
      await until(() => second.evaluate(() => document.documentElement.dataset.theme === 'dark'), 'dark before the modules')
      await second.close()
    })
  }))

test('a phone: one pane at a time, the way back is the browser’s', () =>
  withChat(damso.url, { name: '엄지', ...PHONE }, async (page) => {
    const shown = () => page.locator('.app').getAttribute('data-side')
    await page.locator('.room-head button').first().click()
    await until(async () => (await shown()) === 'rooms')
    await page.goBack()
    await until(async () => (await shown()) === 'log')
    await page.locator('.room-head button').first().click()
    await room(page, 'lobby').click()
    await until(async () => (await shown()) === 'log')
    await page.getByRole('button', { name: '더 보기' }).click()
    await page.getByRole('button', { name: '참여자' }).click()
    await until(async () => (await shown()) === 'pane')
    await page.goBack()
    await until(async () => (await shown()) === 'log')
    assert.equal(await page.locator('.pane').count(), 0)
  }))

test('nothing is wider than the screen: 320 px, and text twice as large', () =>
  withChat(damso.url, { name: '돋보기', viewport: { width: 320, height: 568 } }, async (page) => {
    for (const size of ['', '32px']) {
      await page.evaluate((size) => (document.documentElement.style.fontSize = size), size)
      await page.say('가나다라마바사아자차카타파하가나다라마바사아자차카타파하가나다라마바사아자차카타파하 https://example.org/a/very/long/address/that/does/not/end')
      assert.equal(await sideways(page), 0, size)
      await page.locator('.room-head button').first().click()
      assert.equal(await sideways(page), 0, size)
      await shot(page, `narrow-${size || '16px'}`)
      await page.goBack()
    }
  }))

test('the phone’s link: a code that says it, and who opens it is the same person', () =>
  withChat(damso.url, { name: '두손' }, async (page) => {
    await page.locator('.me button').first().click()
    const code = page.getByRole('img', { name: 'QR 코드' })
    await code.waitFor()
    const url = await page.getByRole('dialog').getByRole('textbox').inputValue()
    await shot(page, 'phone')
    const { data, width, height } = await pixels(page, await code.screenshot())
    assert.equal(jsQR(Uint8ClampedArray.from(data), width, height)?.data, url)
    assert.equal(new URL(url).hash, `#key=${await keyOf(page)}`)
    await withChat(damso.url, { context: await (await page.context().browser()).newContext({ ...PHONE, locale: 'ko-KR' }), at: new URL(url).hash }, async (phone) => {
      assert.equal(await phone.evaluate(() => location.hash.includes('key')), false)
      await phone.locator('.room-head button').first().click()
      assert.equal(await phone.locator('.me b').innerText(), '두손')
    })
  }))

/** A picture's pixels, by a browser's own decoder. */
async function pixels(page, png) {
  const blank = await page.context().newPage()
  await blank.goto('about:blank')
  const found = await blank.evaluate(async (base64) => {
    const image = await createImageBitmap(await (await fetch(`data:image/png;base64,${base64}`)).blob())
    const canvas = new OffscreenCanvas(image.width, image.height)
    const context = canvas.getContext('2d')
    context.drawImage(image, 0, 0)
    return { data: [...context.getImageData(0, 0, image.width, image.height).data], width: image.width, height: image.height }
  }, png.toString('base64'))
  await blank.close()
  return found
}

test('who leaves a device leaves nothing on it', () =>
  withChat(damso.url, { name: '떠남' }, async (page) => {
    await page.say('안녕히')
    await arrives(page, '안녕히')
    await page.locator('.me button').last().click()
    await page.getByRole('button', { name: '이 기기에서 나가기' }).click()
    await page.getByRole('button', { name: '열쇠를 지우고 나가기' }).click()
    await page.locator('.first').waitFor()
    assert.equal(await page.locator('input[name=name]').inputValue(), '')
    assert.deepEqual(await page.evaluate(() => [localStorage['damso.key'], localStorage['damso.name']]), ['""', '""'])
    await until(async () => (await page.evaluate(() => indexedDB.databases())).length === 0, 'no database')
  }))

test('deleting all that one wrote asks for the name', () =>
  withChat(damso.url, { name: '지움' }, async (page) => {
    await page.say('없던 일로')
    await arrives(page, '없던 일로')
    await page.locator('.me button').last().click()
    await page.getByRole('button', { name: '내가 쓴 글 모두 지우기' }).click()
    const sure = page.getByRole('button', { name: '모두 지우기', exact: true })
    assert.ok(await sure.isDisabled())
    await page.getByRole('dialog').getByRole('textbox').fill('지움')
    await sure.click()
    await page.getByText('글 1개를 지웠어요.').waitFor()
  }))

test('the server goes and comes: the bar says so, after a while and in a whisper', async () => {
  const mortal = await startDamso({ lifted: true })
  await withChat(mortal.url, { name: '끊김', forgive: AWAY }, async (page) => {
    const bar = page.locator('.banner').first()
    assert.equal(await bar.getAttribute('role'), 'status')
    await mortal.stop()
    await quiet(1000)
    assert.equal(await bar.innerText(), '')
    await page.getByText('다시 연결하고 있어요').waitFor()
    await page.locator('.me').getByText('연결 끊김').waitFor()
    await shot(page, 'reconnecting')
    const again = await startDamso({ listen: mortal.host, lifted: true })
    await until(async () => (await bar.innerText()) === '', 'all is well', 30_000)
    await again.stop()
  })
})

test('an app: kept for when the server is away, and never the API', { skip: HOST !== '127.0.0.1' && 'a service worker needs a secure context' }, () =>
  withChat(damso.url, { name: '앱', forgive: AWAY }, async (page) => {
    assert.ok(await isSecure(page))
    const manifest = await page.evaluate(async () => (await fetch(document.querySelector('link[rel=manifest]').href)).json())
    for (const { src } of manifest.icons) assert.equal((await fetch(new URL(src, damso.url))).status, 200, src)
    await page.evaluate(() => navigator.serviceWorker.ready)
    await until(() => page.evaluate(() => !!navigator.serviceWorker.controller), 'the worker has the page')
    await page.say('남는 글')
    await arrives(page, '남는 글')
    await quiet(1500)
    await page.context().setOffline(true)
    await reload(page, { ready: false })
    await page.field.waitFor()
    await arrives(page, '남는 글')
    await page.getByText('다시 연결하고 있어요').waitFor()
    await page.context().setOffline(false)
    const kept = await page.evaluate(async () => {
      const names = await caches.keys()
      return (await Promise.all(names.map(async (name) => (await (await caches.open(name)).keys()).map(({ url }) => new URL(url).pathname)))).flat()
    })
    assert.ok(kept.length > 50)
    assert.deepEqual(kept.filter((path) => !/^\/(assets\/.*|manifest\.webmanifest)?$/.test(path)), [])
  }))

test('a new version waits for a press, and loses no draft', { skip: HOST !== '127.0.0.1' && 'a service worker needs a secure context' }, (t) =>
  withFolder(async (folder) => {
    const web = new URL('../..', import.meta.url).pathname
    await cp(web, folder, { recursive: true, filter: (path) => !/node_modules|\/test\b/.test(path) })
    await withDamso({ lifted: true, env: { DAMSO_WEB: folder } }, ({ url }) =>
      withChat(url, { name: '새판' }, async (page) => {
        const version = () => page.locator('script[type=module]').evaluate(({ src }) => /assets\/(\w+)/.exec(src)[1])
        const first = await version()
        await until(() => page.evaluate(() => !!navigator.serviceWorker.controller), 'the worker has the page')
        await appendFile(join(folder, 'css/base.css'), '\n.new { color: inherit; }\n')
        if ((await (await fetch(url)).text()).includes(first)) return t.skip('this server has its pages built in')
        await page.evaluate(async () => (await navigator.serviceWorker.getRegistration()).update())
        await page.getByText('새 버전이 준비됐어요').waitFor()
        await quiet()
        assert.equal(await version(), first, 'nothing happens by itself')
        await page.field.fill('쓰다 만 글')
        await shot(page, 'update')
        let loads = 0
        page.on('load', () => loads++)
        await page.getByRole('button', { name: '새로 고침' }).click()
        await until(() => loads)
        await entered(page)
        assert.notEqual(await version(), first)
        assert.equal(await page.field.inputValue(), '쓰다 만 글')
        await quiet(1000)
        assert.equal(loads, 1)
        assert.equal(await page.getByText('새 버전이 준비됐어요').count(), 0)
        assert.deepEqual(await page.evaluate(async () => (await caches.keys()).length), 1)
      }),
    )
  }))

test('the worker’s policy passes the worker’s address alone', { skip: HOST !== '127.0.0.1' && 'no secure context' }, () =>
  withChat(damso.url, { name: '정책', forgive: /violates|TrustedTypes|Trusted/ }, async (page) => {
    const refused = await page.evaluate(() =>
      ['damso-worker', 'other'].map((name) => {
        try {
          trustedTypes.createPolicy(name, { createScriptURL: (url) => url })
          return false
        } catch {
          return true
        }
      }),
    )
    assert.deepEqual(refused, [true, true], 'neither once more nor another one')
  }))

test('a link doesn’t make somebody else of who is here without a word', () =>
  withChat(damso.url, { name: '본인' }, async (page) => {
    const mine = await keyOf(page)
    const link = async () => {
      await page.goto('about:blank')
      await page.goto(`${damso.url}/#key=${newKey()}`)
      await page.getByText('이 기기를 다른 사람으로 쓸까요?').waitFor()
    }
    await link()
    await shot(page, 'replace')
    await page.getByRole('button', { name: '본인님으로 계속하기' }).click()
    await page.field.waitFor()
    assert.equal(await keyOf(page), mine)
    await link()
    await page.getByRole('button', { name: '링크의 사람으로 바꾸기' }).click()
    // Nobody has that key yet.
    await page.locator('input[name=name]').waitFor()
    assert.notEqual(await keyOf(page), mine)
  }))

test('what lay beside the conversation is there again, and takes no focus', () =>
  withChat(damso.url, { name: '곁' }, async (page) => {
    await page.getByRole('button', { name: '참여자' }).click()
    await page.locator('.pane').waitFor()
    await reload(page)
    await page.locator('.pane').waitFor()
    assert.equal(await page.evaluate(() => document.activeElement?.closest('.pane')), null)
    await page.getByRole('button', { name: '참여자' }).click()
    await until(async () => (await page.locator('.pane').count()) === 0)
  }))

test('somebody who is called and doesn’t look is told, once over all tabs', { skip: HOST !== '127.0.0.1' && 'no secure context' }, () =>
  withChat(damso.url, { name: '부름', permissions: ['notifications'] }, (page) =>
    withChat(damso.url, { name: '부르는이' }, async (other) => {
      await page.locator('.me button').last().click()
      const knob = page.getByRole('switch', { name: '알림', exact: true })
      assert.equal(await knob.isChecked(), false)
      await knob.click()
      await until(() => knob.isChecked(), 'switched on')
      await page.keyboard.press('Escape')
      const { id } = await ask(await keyOf(page), 'POST', '/rooms', { kind: 'public', name: '딴방' })
      await page.evaluate(() => navigator.serviceWorker.ready)
      const shown = () => page.evaluate(async () => (await (await navigator.serviceWorker.ready).getNotifications()).map(({ title, body, data }) => [title, body, data.room]))
      await room(page, '딴방').click()
      await until(async () => (await title(page).innerText()) === '딴방')
      await withChat(damso.url, { context: page.context(), at: `#/${id}` }, async () => {
        await other.say('그냥 하는 말')
        await other.say('@부름 여기요')
        await until(async () => (await shown()).length, 'a notification')
        await quiet(800)
        assert.deepEqual(await shown(), [['부르는이 · lobby', '@부름 여기요', 'lobby']])
      })
    }),
  ))
