import assert from 'node:assert/strict'
import { test } from 'node:test'
import { callable, called, fold } from '../lib/names.js'

test('names are compared as the server does', () => {
  for (const name of ['김 철수', '김  철수', '김\u3000철수', '김 철\u200d수', '\u200d 김 철수 \ufe0f', '김 철수'.normalize('NFD')])
    assert.equal(fold(name), '김 철수')
  for (const name of ['Anna', 'ＡＮＮＡ', 'ANNA']) assert.equal(fold(name), 'anna')
})

test('the longest name that stands after an @ is called', () => {
  const names = callable(['u1', 'u2', '@here', 'gone'], (user) => ({ u1: '김', u2: '김 철수' })[user])
  assert.deepEqual(called('@김 철수님', 0, names), { user: 'u2', end: 5 })
  assert.deepEqual(called('@김 철', 0, names), { user: 'u1', end: 2 })
  assert.deepEqual(called('저기 @here', 3, names), { user: '@here', end: 8 })
  assert.equal(called('저기@김', 2, names), undefined)
  assert.equal(called('@ 김', 0, names), undefined)
  assert.equal(called('@heres', 0, names), undefined)
  assert.equal(called('@gone', 0, names), undefined)
})

test('a name is called as it may be typed', () => {
  const names = callable(['u1'], () => '민수')
  assert.deepEqual(called('@민수'.normalize('NFD'), 0, names)?.user, 'u1')
  assert.deepEqual(called('😀@민수', 2, names), { user: 'u1', end: 5 })
  assert.equal(called('𝒜@민수', 2, names), undefined) // a letter beyond the first plane
  assert.equal(called(`@${'가'.repeat(100)}`, 0, names), undefined)
})
