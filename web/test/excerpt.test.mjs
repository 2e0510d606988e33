import assert from 'node:assert/strict'
import { test } from 'node:test'
import { excerpt } from '../lib/excerpt.js'

const short = (...of) => excerpt(...of).map(({ text, marked }) => (marked ? `[${text}]` : text)).join('')

test('a text is cut into what is marked and what is not', () => {
  assert.equal(short('서버장애 발생, 장애 끝', [[2, 4], [9, 11]]), '서버[장애] 발생, [장애] 끝')
  assert.equal(short('안녕', []), '안녕')
  assert.equal(short('안녕', [[0, 2]]), '[안녕]')
})

test('of a long text the part around the first mark is shown, and no character is halved', () => {
  const text = `${'가'.repeat(300)}장애${'나'.repeat(300)}`
  assert.equal(short(text, [[300, 302]], 100), `…${'가'.repeat(40)}[장애]${'나'.repeat(58)}…`)
  assert.equal(short(text, [[300, 302], [500, 501]], 100), `…${'가'.repeat(40)}[장애]${'나'.repeat(58)}…`)
  assert.equal(short(text, [], 100), `${'가'.repeat(100)}…`)
  assert.equal(short(`${'가'.repeat(300)}끝`, [[300, 301]], 100), `…${'가'.repeat(99)}[끝]`)
  const faces = '😀'.repeat(200)
  for (let width = 90; width < 110; width++)
    assert.ok(excerpt(faces, [[200, 202]], width).every((part) => part.text.isWellFormed()))
  assert.equal(short('가'.repeat(20), [[5, 15]], 10), `${'가'.repeat(5)}[${'가'.repeat(5)}]…`)
})
