import assert from 'node:assert/strict'
import { test } from 'node:test'
import { tone } from '../lib/mark.js'
import { mark, parse, together } from '../plain/lines.js'

function check(line, who, text, kind = 'guest') {
  assert.deepEqual(parse(line), { who, text, kind })
}

test('the first separator separates', () => {
  check('127.0.0.1:50001 :: 안녕', '127.0.0.1:50001', '안녕')
  check('[2001:db8::1]:50001 :: hi', '[2001:db8::1]:50001', 'hi')
  check('민수 :: a :: b', '민수', 'a :: b')
  check('민수 ::  two spaces', '민수', ' two spaces')
})

test('the operator and the house are told apart by the whole name', () => {
  check('Administrator :: 점검합니다', 'Administrator', '점검합니다', 'admin')
  check('damso :: too fast', 'damso', 'too fast', 'house')
  check('administrator :: hi', 'administrator', 'hi')
  check('constructor :: hi', 'constructor', 'hi')
})

test('further lines lose the indent that keeps them from looking like an author', () => {
  check('민수 :: one\n    Administrator :: two\n        three', '민수', 'one\nAdministrator :: two\n    three')
  check('민수 :: one\r\n    two', '민수', 'one\ntwo')
})

test('a line with no separator has no author', () => check('hello', '', 'hello'))

test('lines of one author within five minutes stand together', () => {
  const at = 1_000_000
  assert.equal(together(null, { who: 'a', at }), false)
  assert.equal(together({ who: 'a', at }, { who: 'b', at }), false)
  assert.equal(together({ who: 'a', at }, { who: 'a', at: at + 299_999 }), true)
  assert.equal(together({ who: 'a', at }, { who: 'a', at: at + 300_000 }), false)
})

test('a mark is the end of a port or the first letter', () => {
  assert.deepEqual(['127.0.0.1:50017', '[::1]:7', '민수', 'ada', '🦊fox', ''].map(mark), ['17', '7', '민', 'A', '🦊', ''])
})

test('a tone is one of six and stays', () => {
  const tones = Array.from({ length: 300 }, (_, i) => tone(`127.0.0.1:${50000 + i}`))
  assert.deepEqual([...new Set(tones)].sort(), [0, 1, 2, 3, 4, 5])
  assert.equal(tone('민수'), tone('민수'))
})
