import assert from 'node:assert/strict'
import { test } from 'node:test'
import { rows, same } from '../state/rows.js'

const MINUTE = 60_000
const DAY = 24 * 60 * MINUTE
const message = (m, rest) => ({
  m, n: m, rev: m, by: 'u2', name: '민수', at: m * MINUTE, text: `${m}`, edited: false, deleted: false, pinned: false,
  reply: null, mentions: [], reactions: [], nonce: null, ...rest,
})
const many = (...ms) => ms.map((m) => message(m))
const view = (rest) => ({
  messages: [], ranges: [{ low: 1, high: 1000 }], first: 1, start: 0, end: rest.messages?.length ?? 0, line: null, me: 'u1', n: 9, open: true,
  outbox: [], failed: [], day: (at) => Math.floor(at / DAY), ...rest,
})
const drawn = (rest) =>
  rows(view(rest)).map((row) => (row.kind === 'message' ? `${row.head ? '# ' : ''}${row.message.m}` : row.kind === 'gap' ? `gap ${row.count}` : row.kind))

test('messages of one author within five minutes stand under one name, each day under its own', () => {
  const messages = [message(1), message(2), message(8), message(9, { by: 'u3' }), message(10), message(11, { at: DAY })]
  assert.deepEqual(drawn({ messages }), ['start', 'day', '# 1', '2', '# 8', '# 9', '# 10', 'day', '# 11'])
})

test('a window that begins in the midst of a turn says neither day nor name again', () => {
  assert.deepEqual(drawn({ messages: many(1, 2, 3), start: 1 }), ['2', '3'])
})

test('what may be above is said at the lowest message: the beginning, or more to load', () => {
  assert.equal(drawn({ messages: many(5) })[0], 'start')
  assert.equal(drawn({ messages: many(5), ranges: [{ low: 5, high: 5 }] })[0], 'more')
  assert.deepEqual(drawn({ messages: [] }), ['start'])
  assert.deepEqual(drawn({ messages: [], ranges: [] }), ['more'])
  assert.deepEqual(drawn({ messages: [], ranges: [], n: 0 }), ['start'])
  assert.deepEqual(drawn({ messages: [], ranges: [], n: 0, open: false }), ['more'], 'who knows yet')
})

test('messages are neighbours only inside one range; what is between is counted by n', () => {
  const messages = [message(3), message(40, { n: 36 })]
  const ranges = [{ low: 1, high: 5 }, { low: 30, high: 31 }, { low: 40, high: 50 }]
  const [, , , gap] = rows(view({ messages, ranges }))
  assert.deepEqual(gap, { kind: 'gap', key: '5-40', after: 5, before: 40, count: 32 })
  assert.deepEqual(drawn({ messages, ranges }), ['start', 'day', '# 3', 'gap 32', '# 40'])
  assert.deepEqual(drawn({ messages, ranges, start: 1 }), ['gap 32', '# 40'], 'at the edge of the window too')
})

test('nothing is drawn between ranges that only events lie between', () => {
  const messages = [message(3), message(9, { n: 4 })]
  assert.deepEqual(drawn({ messages, ranges: [{ low: 1, high: 3 }, { low: 9, high: 9 }] }), ['start', 'day', '# 3', '# 9'])
})

test('the line of what is new stands before the first message of somebody else', () => {
  const messages = [message(1), message(2, { by: 'u1' }), message(3), message(4)]
  assert.deepEqual(drawn({ messages, line: 1 }), ['start', 'day', '# 1', '# 2', 'new', '# 3', '4'])
  assert.deepEqual(drawn({ messages, line: 0 }), ['start', 'new', 'day', '# 1', '# 2', '# 3', '4'])
  assert.ok(!drawn({ messages, line: 1, start: 3 }).includes('new'), 'it is above')
  assert.ok(!drawn({ messages, line: 4 }).includes('new'))
  assert.ok(!drawn({ messages: many(50), ranges: [{ low: 50, high: 50 }], line: 3 }).includes('new'), 'it is not loaded')
})

test('what is on its way stands at the end under its nonce, and keeps its key when it arrives', () => {
  const outbox = [{ room: 'r', nonce: 'a', send: { text: 'hi', reply: 1 } }, { room: 'r', nonce: 'b', send: { text: 'ho' } }]
  const before = rows(view({ messages: many(1), outbox }))
  assert.deepEqual(before.slice(3).map(({ kind, text, head }) => [kind, text, head]), [['pending', 'hi', true], ['pending', 'ho', false]])
  assert.equal(before[3].answered.m, 1)
  const after = rows(view({ messages: [message(1), message(2, { by: 'u1', nonce: 'a' })] }))
  assert.equal(after.at(-1).key, before[3].key)
  assert.equal(rows(view({ messages: many(1, 2), end: 1, outbox })).length, 3, 'only where the end is')
})

test('a change that is on its way shows already', () => {
  const change = (op, rest) => ({ room: 'r', nonce: op, change: { m: 1, op, ...rest } })
  const outbox = [change('react', { emoji: '👍' }), change('edit', { text: 'better' })]
  const { message: shown } = rows(view({ messages: many(1, 2), outbox }))[2]
  assert.deepEqual([shown.text, shown.edited, shown.reactions], ['better', true, [{ emoji: '👍', count: 1, mine: true, who: ['u1'] }]])
})

test('what was refused stands last', () => {
  const failed = [{ room: 'r', nonce: 'x', send: { text: 'no' }, code: 'muted', msg: '' }]
  assert.deepEqual(drawn({ messages: many(1), failed }), ['start', 'day', '# 1', 'failed'])
})

test('a row is the same while nothing in it is another object', () => {
  const messages = many(1, 2, 3)
  const [one, other] = [rows(view({ messages })), rows(view({ messages: [...messages, message(4)] }))]
  assert.ok(one.every((row, i) => same(row, other[i])))
  const changed = rows(view({ messages: [messages[0], { ...messages[1] }, messages[2]] }))
  assert.deepEqual(one.map((row, i) => same(row, changed[i])), [true, true, true, false, true])
})
