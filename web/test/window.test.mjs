import assert from 'node:assert/strict'
import { test } from 'node:test'
import { around, fitted, moved, newest, SHOWN_MAX, span, STEP } from '../state/window.js'

const list = (count, from = 1) => Array.from({ length: count }, (_, i) => ({ m: from + i }))
const shown = (messages, window) => {
  const { start, end } = span(messages, window)
  return [messages[start]?.m, messages[end - 1]?.m]
}

test('it begins with the newest, and follows what comes', () => {
  const messages = list(1000)
  const window = newest(messages)
  assert.deepEqual(shown(messages, window), [901, 1000])
  assert.deepEqual(shown(list(1001), window), [901, 1001])
  assert.deepEqual(newest(list(7)), { from: 0, to: Infinity })
  assert.deepEqual(newest([]), { from: 0, to: Infinity })
})

test('end to end and back it has at most 400, and moves by 100', () => {
  const messages = list(10_000)
  let window = newest(messages)
  let steps = 0
  for (; window.from; steps++) {
    const [low] = shown(messages, window)
    window = moved(messages, window, -1)
    const [now, last] = shown(messages, window)
    assert.equal(low - now, STEP)
    assert.ok(last - now < SHOWN_MAX && last >= low)
  }
  assert.equal(steps, 99)
  for (; window.to < Infinity; steps--) {
    const [, high] = shown(messages, window)
    window = moved(messages, window, 1)
    const [first, now] = shown(messages, window)
    assert.equal(now - high, STEP)
    assert.ok(now - first < SHOWN_MAX && first <= high)
  }
  assert.equal(steps, 3)
  assert.deepEqual(moved(messages, window, 1), window, 'there is no more')
})

test('too much goes where it is not read, a step at a time', () => {
  const window = { from: 601, to: Infinity }
  assert.deepEqual(shown(list(1000), fitted(list(1000), window, Infinity)), [601, 1000])
  assert.deepEqual(shown(list(1001), fitted(list(1001), window, Infinity)), [701, 1001])
  assert.deepEqual(shown(list(1001), fitted(list(1001), window, 610)), [601, 901])
  assert.deepEqual(shown(list(1050, -49), fitted(list(1050, -49), { from: 0, to: 390 }, 40)), [0, 390])
})

test('around a message there is as much before as after it, as far as there is', () => {
  const messages = list(1000)
  assert.deepEqual(shown(messages, around(messages, 500)), [450, 549])
  assert.deepEqual(shown(messages, around(messages, 3)), [1, 52])
  assert.deepEqual(around(messages, 990), { from: 940, to: Infinity })
})

test('what was dropped from memory is no longer shown', () => {
  assert.deepEqual(shown(list(100, 500), { from: 420, to: 540 }), [500, 540])
})
