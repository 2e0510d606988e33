import assert from 'node:assert/strict'
import { test } from 'node:test'
import { answering, asked, call } from '../lib/complete.js'

test('an @ at a word’s beginning asks for a name', () => {
  for (const [text, query] of [
    ['@', ''],
    ['@민', '민'],
    ['안녕 @ㅁㅅ', 'ㅁㅅ'],
    ['(@ann', 'ann'],
    ['하나\n@김 민', '김 민'],
    ['@민수 @지', '지'],
  ]) {
    assert.deepEqual(asked(text, text.length), { kind: '@', at: text.length - query.length - 1, query }, text)
  }
})

test('an address of mail, and an @ before a space, ask for nothing', () => {
  for (const text of ['ann@example', '민수@', '@ 민수', '@@', '안녕', '', '@민수\n']) assert.equal(asked(text, text.length), null, text)
})

test('only what stands before the caret counts', () => {
  assert.deepEqual(asked('@민수에게', 2), { kind: '@', at: 0, query: '민' })
  assert.equal(asked('@민수', 0), null)
})

test('a colon asks for an emoji, by a syllable or two letters', () => {
  for (const [text, query] of [
    [':웃', '웃'],
    ['좋아요 :smi', 'smi'],
    ['(:+1', '+1'],
    [':ㅇㅅ', 'ㅇㅅ'],
  ]) {
    assert.deepEqual(asked(text, text.length), { kind: ':', at: text.length - query.length - 1, query }, text)
  }
  for (const text of [':D', ':)', '12:30', 'https:', '웃음:웃', ':ㅇ', ': 웃', '::ab']) assert.equal(asked(text, text.length), null, text)
})

const people = ['김민수', '민수', '박지원', 'Minsu', 'Kim Min', '이민정'].map((name, m) => ({ user: `u${m}`, name }))
const names = (query, of = people) => answering(query, of).map(({ name }) => name)

test('names are found by beginnings, first consonants, and a syllable under way', () => {
  assert.deepEqual(names('민수'), ['민수', '김민수'])
  assert.deepEqual(names('ㅁㅅ'), ['민수', '김민수'])
  assert.deepEqual(names('지우'), ['박지원'])
  assert.deepEqual(names('min'), ['Minsu', 'Kim Min'])
  assert.deepEqual(names('민수야'), [])
})

test('letters somewhere in a name are no match: the Enter that follows is a send', () => assert.deepEqual(names('mu'), []))

test('a space ends the question, unless a name goes on after it', () => {
  assert.deepEqual(names('kim '), ['Kim Min'])
  assert.deepEqual(names('minsu '), [])
})

test('who is here comes first, then who spoke last', () => {
  const three = [
    { user: 'u1', name: '민지', spoke: 5 },
    { user: 'u2', name: '민호', spoke: 9 },
    { user: 'u3', name: '민아', online: true },
  ]
  assert.deepEqual(names('', three), ['민아', '민호', '민지'])
  assert.deepEqual(names('민', three), ['민아', '민호', '민지'])
})

test('a particle follows a Korean name without a space', () => {
  assert.equal(call('민수'), '@민수')
  assert.equal(call('Ann'), '@Ann ')
})
