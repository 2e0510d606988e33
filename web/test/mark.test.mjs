import assert from 'node:assert/strict'
import { test } from 'node:test'
import { mark, tone } from '../lib/mark.js'

test('the mark of a name is two signs of it at most', () => {
  const marks = { 홍길동: '길동', 민수: '민수', 남궁민수: '남궁', 'Ann Lee': 'AL', ada: 'AD', 'deploy-bot': 'DB', '🦊 여우': '🦊여', A: 'A', ' ': '' }
  for (const [name, expected] of Object.entries(marks)) assert.equal(mark(name), expected, name)
})

test('a user has one of six tones, always the same', () => {
  const tones = Array.from({ length: 600 }, (_, i) => tone(`u${i}`))
  assert.deepEqual([...new Set(tones)].sort(), [0, 1, 2, 3, 4, 5])
  assert.equal(tone('u1'), tone('u1'))
  for (let i = 0; i < 600; i++) assert.ok(tone(`u${100_000 + i * 7919}`) >= 0, 'also where the hash is large')
})
