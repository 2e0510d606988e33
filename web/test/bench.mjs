/**
 * How fast the browser client is: `cargo xtask bench web [WORDS]`, or `DAMSO_BIN=… node test/bench.mjs [WORDS]`. Words
 * name the parts to run, as `send` or `cold`; without any, all of it.
 */
import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { cpus, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { bot } from './lib/bot.mjs'
import { withDamso, withFolder } from './lib/damso.mjs'
import { closeBrowser, fromEnd, newKey, openChat, quiet, settled, theBrowser, until } from './lib/page.mjs'
import { probe } from './lib/probe.mjs'
import { proxy } from './lib/proxy.mjs'

const SENDS = 200
const WARM_UP = 20
const LOADS = 7
const SLOW_FSYNC = 15 // ms
/** What DevTools calls fast 4G, and a phone four times slower than this machine. */
const FAST_4G = { offline: false, latency: 165, downloadThroughput: (9e6 * 0.9) / 8, uploadThroughput: (1.5e6 * 0.9) / 8 }
const PHONE_CPU = 4

const rows = []
const row = (what, figure, goal = '') => rows.push([what, figure, goal])
const at = (values, share) => values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * share))]
const ms = (value) => (value < 10 ? value.toFixed(1) : value.toFixed(0))
const kb = (bytes) => `${(bytes / 1024).toFixed(1)} KB`
const line = (i) => `${i}번째 줄입니다. A line of an ordinary length, with a word of **weight** in it.`
const lines = (count) => Array.from({ length: count }, (_, i) => line(i))
const open = (url, options) => openChat(url, { init: probe, locale: 'en-GB', ...options })

/** A server whose messages last, which is what is measured. */
const withServer = (run, env) => withFolder((data) => withDamso({ data, lifted: true, env }, run))

let run = 0

async function send(url, what, goals) {
  run++
  const [from, to] = [await open(url, { name: 'Ada' }), await open(url, { name: '민수' })]
  for (let i = 0; i < SENDS + WARM_UP; i++) {
    await from.field.fill(`bench-${run}-${i}`)
    await quiet(30 + Math.random() * 40)
    await from.keyboard.press('Enter')
    await until(() => to.evaluate((n) => probe.lines.length > n, i))
  }
  const [{ keys, own }, { lines }] = await Promise.all([from, to].map((page) => page.evaluate(() => probe)))
  const sent = new Map(keys.map(({ text, at }) => [text, at]))
  const took = lines.slice(WARM_UP).map(({ text, at }) => at - sent.get(text))
  row(`Enter to paint in another browser, ${what}: p50, p99`, `${ms(at(took, 0.5))}, ${ms(at(took, 0.99))} ms`, goals)
  const mine = own.slice(WARM_UP)
  const inTime = mine.filter(({ inTime }) => inTime).length
  row(`own line in the next frame, ${what}`, `${inTime} of ${mine.length}; Enter to paint p50, p95 ${ms(at(mine.map(({ took }) => took), 0.5))}, ${ms(at(mine.map(({ took }) => took), 0.95))} ms`, 'all')
  await Promise.all([from, to].map((page) => page.context().close()))
}

const PARTS = {
  send: () => withServer(({ url }) => send(url, 'durable', '≤ 20, ≤ 60 ms')),

  async slow() {
    const folder = await mkdtemp(join(tmpdir(), 'damso-slow-'))
    try {
      const shim = join(folder, 'slow-disk.so')
      await promisify(execFile)('cc', ['-shared', '-fPIC', '-o', shim, fileURLToPath(new URL('lib/slow-disk.c', import.meta.url))])
      await withServer(({ url }) => send(url, `each fsync ${SLOW_FSYNC} ms slower`, 'own line the same'), { LD_PRELOAD: shim, FSYNC_MS: `${SLOW_FSYNC}` })
    } finally {
      await rm(folder, { recursive: true })
    }
  },

  keys: () =>
    withServer(async ({ url }) => {
      const page = await open(url, { name: 'Ada' })
      const other = await bot(url, '민수')
      await other.many(lines(400))
      await until(() => page.evaluate(() => document.querySelectorAll('[role=log] article').length >= 400))
      await page.field.focus()
      for (let i = 0; i < 300; i++) {
        await page.keyboard.press('abcdefgh '[i % 9])
        await quiet(20 + Math.random() * 40)
      }
      const typed = await page.evaluate(() => probe.typed.slice(20))
      row('key to paint, 400 messages on screen: p50, p95', `${ms(at(typed, 0.5))}, ${ms(at(typed, 0.95))} ms`, 'p95 ≤ 16 ms')
      await page.evaluate(() => (probe.appends.length = 0))
      for (let i = 0; i < 200; i++) {
        await other.say(line(i))
        await quiet(20 + Math.random() * 30)
      }
      const appends = await page.evaluate(() => probe.appends)
      const [laidOut, painted] = ['laidOut', 'painted'].map((what) => appends.map((append) => append[what]))
      row('append, 400 messages on screen: p50, p95', `${ms(at(laidOut, 0.5))}, ${ms(at(laidOut, 0.95))} ms; with paint ${ms(at(painted, 0.5))}, ${ms(at(painted, 0.95))} ms`, 'p95 ≤ 4 ms')
      row('message nodes at most', `${await page.evaluate(() => probe.most)}`, '≤ 400')
      other.close()
      await page.context().close()
    }),

  load: () =>
    withServer(async ({ url }) => {
      const talker = await bot(url, '민수')
      await talker.many(lines(500))
      const cold = []
      const warm = []
      for (let i = 0; i < LOADS; i++) {
        const page = await open(url, { name: `Ada ${i}`, key: newKey() })
        cold.push(await first(page))
        await quiet(500) // what is kept is kept
        await page.reload()
        warm.push(await first(page))
        await page.context().close()
      }
      row('first messages on screen, cold', `${ms(at(cold, 0.5))} ms`, '≤ 300 ms')
      row('first messages on screen, warm', `${ms(at(warm, 0.5))} ms`, '≤ 600 ms')
      talker.close()
    }),

  phone: () =>
    withServer(async ({ url }) => {
      const talker = await bot(url, '민수')
      await talker.many(lines(500))
      const cold = []
      const warm = []
      for (let i = 0; i < LOADS; i++) {
        const context = await (await theBrowser()).newContext({ locale: 'en-GB', viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true })
        const key = newKey()
        const page = await context.newPage()
        const cdp = await context.newCDPSession(page)
        await cdp.send('Network.enable')
        await cdp.send('Network.emulateNetworkConditions', FAST_4G)
        await cdp.send('Emulation.setCPUThrottlingRate', { rate: PHONE_CPU })
        await page.addInitScript(probe)
        await page.addInitScript((key) => {
          localStorage.setItem('damso.key', JSON.stringify(key))
          localStorage.setItem('damso.name', JSON.stringify(key.slice(0, 8)))
        }, key)
        await page.goto(url)
        cold.push(await first(page))
        await quiet(1500)
        await page.reload()
        warm.push(await first(page))
        await context.close()
      }
      row('the same on fast 4G and a phone: cold', `${ms(at(cold, 0.5))} ms`, '≤ 1,200 ms')
      row('the same on fast 4G and a phone: warm', `${ms(at(warm, 0.5))} ms`, '≤ 600 ms')
      talker.close()
    }),

  back: () =>
    withServer(async ({ url }) => {
      const network = await proxy(url)
      const talker = await bot(url, '민수')
      await talker.many(lines(200))
      const page = await open(network.url, { name: 'Ada' })
      const took = []
      for (let i = 0; i < LOADS; i++) {
        network.cut()
        await page.context().setOffline(true)
        await quiet(3000)
        await talker.many([...lines(299), `bench-0-${i}`])
        await page.evaluate(() => addEventListener('online', () => (probe.online = performance.timeOrigin + performance.now()), { once: true }))
        network.open()
        await page.context().setOffline(false)
        await until(() => page.evaluate((n) => probe.lines.length > n, i))
        took.push(await page.evaluate(() => probe.lines.at(-1).at - probe.online))
      }
      row('300 messages caught up after the network returns: p50, worst', `${ms(at(took, 0.5))}, ${ms(at(took, 1))} ms`, '≤ 1,000 ms')
      talker.close()
      await page.context().close()
      await network.close()
    }),

  scroll: () =>
    withServer(async ({ url }) => {
      const talker = await bot(url, '민수')
      await talker.many(['최초의 줄', ...lines(9_998), '최후의 줄'])
      const page = await open(url, { name: 'Ada' })
      await settled(page)
      const box = await page.log.boundingBox()
      await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2)
      await page.evaluate(() => probe.watchFrames())
      const begun = Date.now()
      const wheel = async (delta, there) => {
        for (const deadline = Date.now() + 120_000; Date.now() < deadline && !(await there()); ) {
          for (let i = 0; i < 10; i++) await page.mouse.wheel(0, delta)
        }
      }
      const shows = (text) => page.evaluate((text) => [...document.querySelectorAll('[role=log] article')].some((row) => row.innerText.includes(text)), text)
      await wheel(-900, () => shows('최초의 줄'))
      await wheel(900, async () => (await fromEnd(page)) < 2 && (await shows('최후의 줄')))
      const { frames, most } = await page.evaluate(() => ({ frames: probe.frames, most: probe.most }))
      const took = (Date.now() - begun) / 1000
      row('10,000 messages scrolled through and back', `${took.toFixed(0)} s; ${(1000 / at(frames, 0.5)).toFixed(0)} frames/s, 95 % of frames within ${ms(at(frames, 0.95))} ms`, '60 frames/s')
      row('message nodes at most, meanwhile', `${most}`, '≤ 400')
      talker.close()
      await page.context().close()
    }),

  heap: () =>
    withServer(async ({ url }) => {
      const page = await open(url, { name: 'Ada' })
      const talker = await bot(url, '민수')
      const cdp = await page.context().newCDPSession(page)
      const heap = async () => {
        await cdp.send('HeapProfiler.collectGarbage')
        return (await cdp.send('Runtime.getHeapUsage')).usedSize
      }
      const before = await heap()
      await talker.many([...lines(28_799), 'bench-0-0'])
      await until(() => page.evaluate(() => probe.lines.length > 0), 'the last of 8 hours is there', 60_000)
      await quiet(2000)
      row('heap after 28,800 messages (8 h at 1/s)', `${(await heap() / 2 ** 20).toFixed(1)} MB; ${(before / 2 ** 20).toFixed(1)} MB before`, '≤ 60 MB')
      row('nodes of the document then', `${await page.evaluate(() => document.querySelectorAll('*').length)}`)
      talker.close()
      await page.context().close()
    }),

  bytes: () =>
    withServer(async ({ url }) => {
      const talker = await bot(url, '민수')
      await talker.many(lines(60))
      const context = await (await theBrowser()).newContext()
      const page = await context.newPage()
      const cdp = await context.newCDPSession(page)
      const sums = {}
      let requests = 0
      const kinds = new Map()
      cdp.on('Network.responseReceived', ({ requestId, type, response }) => response.url.startsWith('http') && kinds.set(requestId, type))
      cdp.on('Network.loadingFinished', ({ requestId, encodedDataLength }) => {
        if (!kinds.has(requestId)) return
        requests++
        sums[kinds.get(requestId)] = (sums[kinds.get(requestId)] ?? 0) + encodedDataLength
      })
      await cdp.send('Network.enable')
      await page.goto(url)
      await page.locator('input[name=name]').fill('Ada')
      await page.locator('input[name=name]').press('Enter')
      await page.getByRole('log').locator('article').first().waitFor()
      await quiet(1500)
      const sorted = Object.entries(sums).toSorted(([, a], [, b]) => b - a)
      row('first visit: requests; bytes with headers', `${requests}; ${sorted.map(([kind, bytes]) => `${kind} ${kb(bytes)}`).join(', ')}`)
      talker.close()
      await context.close()
    }),
}

/** When the first messages were painted, in ms since the page was asked for. */
async function first(page) {
  await until(() => page.evaluate(() => probe.first > 0), 'messages are on screen', 30_000)
  return page.evaluate(() => probe.first - performance.timeOrigin)
}

const wanted = process.argv.slice(2)
const unknown = wanted.filter((word) => !PARTS[word])
if (unknown.length) {
  console.error(`there is no ${unknown.join(', ')}; there are ${Object.keys(PARTS).join(', ')}`)
  process.exit(2)
}
try {
  for (const [word, part] of Object.entries(PARTS)) {
    if (wanted.length && !wanted.includes(word)) continue
    const before = rows.length
    await part().catch((error) => row(word, `failed: ${error.message.split('\n')[0]}`))
    for (const [what, figure] of rows.slice(before)) console.error(`${what}: ${figure}`)
  }
} finally {
  await closeBrowser()
}
const browser = await promisify(execFile)(process.env.CHROMIUM ?? 'chromium', ['--version']).then(({ stdout }) => stdout.trim(), () => 'Chromium')
console.log(`${cpus()[0].model}, ${cpus().length} cores, load ${loadavg()[0].toFixed(1)}; ${browser}, headless, 60 frames/s; server and browsers share the machine.\n`)
console.log('| | measured | goal |\n|---|---|---|')
for (const cells of rows) console.log(`| ${cells.join(' | ')} |`)
