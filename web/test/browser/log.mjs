/** The conversation: `DAMSO_BIN=path/to/damso node --test test/browser/log.mjs`; more in ../lib/page.mjs. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { bot } from '../lib/bot.mjs'
import { startDamso } from '../lib/damso.mjs'
import { arrives, closeBrowser, fromEnd, message, openChat, quiet, settled, shot, until, withChat } from '../lib/page.mjs'

const SHOWN_MAX = 400
const DRIFT_MAX = 2 // px
const HEAP_MAX = 60e6 // bytes

let damso
let ann

before(async () => {
  damso = await startDamso({ lifted: true })
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
const isInView = (page, text) =>
  message(page, text).evaluate((row) => {
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

describe('a room of 10,000 messages', () => {
  let room
  let said

  before(async () => {
    room = await ann.room('만 줄')
    said = await ann.many(lines(10_000), room)
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
