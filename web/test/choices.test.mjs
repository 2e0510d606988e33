import assert from 'node:assert/strict'
import { test } from 'node:test'
import { choices } from '../lib/choices.js'

const all = ['개발', '점심 모임', 'lobby', '이서연', '박지훈', 'hello world'].map((name) => ({ name }))
const find = (query) => {
  const { found, reading } = choices(query, all)
  return [found.map(({ name }) => name).join(), reading]
}

test('a query finds names in either keyboard layout, and says which', () => {
  for (const [query, names, reading] of [
    [' ', all.map(({ name }) => name).join(), undefined],
    ['점', '점심 모임', undefined],
    ['ㅈㅅ', '점심 모임', undefined],
    ['wjatla', '점심 모임', '점심'],
    ['wt', '점심 모임', 'ㅈㅅ'],
    ['dltj', '이서연', '이서'],
    ['ㅣㅐㅠㅠㅛ', 'lobby', 'lobby'],
    ['lobby', 'lobby', undefined],
    ['ㅗ디ㅣㅐ', 'hello world', 'hello'],
    ['dkssud', '', '안녕'],
    ['ㅣㅑㅏㄷ', '', 'like'],
    ['xyz', '', undefined],
    ['없는 방', '', undefined],
  ])
    assert.deepEqual(find(query), [names, reading], query)
})
