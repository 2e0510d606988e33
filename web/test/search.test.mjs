import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { Search } from '../model/search.js'

const hit = (m) => ({ room: 'lobby', m, at: 1, by: 'u1', name: '민수', text: '점심', marks: [[0, 2]] })

/** A search of an API that answers what `pages` says, one after the other. */
function searching(...pages) {
  const asked = []
  const api = {
    search: async (params, signal) => {
      asked.push(params)
      const page = await pages.shift()
      signal.throwIfAborted()
      if (page instanceof Error) throw page
      return page
    },
  }
  const search = new Search(api)
  return { search, asked, ms: () => search.hits.value.map(({ m }) => m) }
}

test('what is typed is looked for when the typing rests', async () => {
  const { search, asked, ms } = searching({ hits: [hit(2), hit(1)] })
  search.type('점')
  search.type('점심')
  assert.equal(asked.length, 0)
  await wait(300)
  assert.deepEqual(asked.map(({ q }) => q), ['점심'])
  assert.deepEqual([ms(), search.state.value, search.more.value], [[2, 1], 'done', ''])
  assert.equal(asked[0].tz, String(-new Date().getTimezoneOffset()))
})

test('an operator that waits for its value is not looked for', async () => {
  const { search, asked } = searching()
  search.type('점심 from:')
  await wait(300)
  assert.equal(asked.length, 0)
})

test('one room or all', async () => {
  const { search, asked } = searching({ hits: [] }, { hits: [] })
  search.query.value = '점심'
  search.room.value = 'r1'
  await search.run()
  search.room.value = ''
  await search.run()
  assert.deepEqual(asked.map(({ room }) => room), ['r1', undefined])
})

test('an empty page with more is followed by the next, and no further than for so long', async () => {
  const { search, asked, ms } = searching({ hits: [], more: 'a' }, { hits: [hit(9)], more: 'b' }, ...Array(6).fill({ hits: [], more: 'c' }))
  search.query.value = '점심'
  await search.run()
  assert.deepEqual([ms(), search.more.value], [[9], 'b'])
  await search.next()
  assert.deepEqual(asked.map(({ before }) => before), [undefined, 'a', 'b', 'c', 'c', 'c', 'c'])
  assert.deepEqual([ms(), search.more.value], [[9], 'c'])
})

test('only the last query counts', async () => {
  let first
  const { search, ms } = searching(new Promise((done) => (first = done)), { hits: [hit(2)] })
  search.query.value = '점'
  search.run()
  search.query.value = '점심'
  await search.run()
  first({ hits: [hit(1)] })
  await wait(0)
  assert.deepEqual(ms(), [2])
})

test('what is refused is told, and what was found stays if only its next page is', async () => {
  const refused = (code) => Object.assign(new Error(code), { code })
  const { search, ms } = searching({ hits: [hit(1)], partial: true, more: 'a' }, refused('unavailable'), refused('bad_field'))
  search.query.value = '점심'
  await search.run()
  assert.equal(search.partial.value, true)
  await search.next()
  assert.deepEqual([search.state.value, ms(), search.more.value], ['failed', [1], 'a'])
  await search.run()
  assert.deepEqual([search.state.value, ms()], ['wrong', []])
  search.query.value = ' '
  search.run()
  assert.deepEqual([search.state.value, ms()], ['idle', []])
})
