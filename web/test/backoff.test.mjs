import assert from 'node:assert/strict'
import { test } from 'node:test'
import { backoff } from '../lib/backoff.js'

test('doubles from half a second up to thirty', () => {
  assert.deepEqual([0, 1, 2, 5, 6, 7, 2000].map((k) => backoff(k, 1)), [500, 1000, 2000, 16000, 30000, 30000, 30000])
})

test('chance takes off up to a half', () => assert.deepEqual([backoff(0, 0), backoff(9, 0.5)], [250, 22500]))
