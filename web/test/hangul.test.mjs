import assert from 'node:assert/strict'
import { test } from 'node:test'
import { score, toHangul, toLatin, typed } from '../lib/hangul.js'

test('what was typed in the English layout reads in the Korean one, and back', () => {
  for (const [keys, text] of [
    ['dkssud', '안녕'],
    ['dkssudgktpdy', '안녕하세요'],
    ['wjatla ajrdmfRkdy?', '점심 먹을까요?'],
    ['rkqt', '값'],
    ['rkqtdl', '값이'],
    ['rkqtl', '갑시'],
    ['rkrtk', '각사'],
    ['ekfrrhrl', '닭고기'],
    ['ekfrl', '달기'],
    ['qkfrek', '밝다'],
    ['dkswdk', '앉아'],
    ['aksgdl', '많이'],
    ['tkfa', '삶'],
    ['duejf', '여덜'],
    ['duejfq', '여덟'],
    ['ghfxek', '홅다'],
    ['dmfvek', '읊다'],
    ['Rmfgek', '끓다'],
    ['rhkwk', '과자'],
    ['dho', '왜'],
    ['dhl', '외'],
    ['dnjs', '원'],
    ['dnpq', '웹'],
    ['dnl', '위'],
    ['dmlwk', '의자'],
    ['dP', '예'],
    ['dOrl', '얘기'],
    ['dlTek', '있다'],
    ['rRk', 'ㄱ까'],
    ['Qkffl', '빨리'],
    ['Whr', '쪽'],
    ['Ejr', '떡'],
    ['wt', 'ㅈㅅ'],
    ['zzz', 'ㅋㅋㅋ'],
    ['hk', 'ㅘ'],
    ['dkssud 1! @', '안녕 1! @'],
  ]) {
    assert.equal(toHangul(keys), text, keys)
    assert.equal(toLatin(text), keys, text)
    assert.equal(toLatin(text.normalize('NFD')), keys, text)
  }
  assert.equal(toHangul('Dkssud'), '안녕') // a letter without a shifted one of its own
  assert.equal(typed('ㅗ디ㅣㅐ'), 'hello')
  assert.equal(typed('hello'), 'ㅗ디ㅣㅐ')
  assert.equal(typed('좀'), 'wha')
  assert.equal(typed('123'), '123')
})

test('every syllable is typed by its keys', () => {
  for (let code = 0xac00; code <= 0xd7a3; code++) {
    const syllable = String.fromCharCode(code)
    assert.equal(toHangul(toLatin(syllable)), syllable)
  }
})

test('a name is found by first consonants, and while a syllable is composed', () => {
  for (const [query, name] of [
    ['ㅈㅅ', '점심'],
    ['점ㅅ', '점심'],
    ['ㅈ심', '점심'],
    ['저', '점심'],
    ['점', '점심'],
    ['점시', '점심'],
    ['값', '갑시다'], // ㅅ is on its way to the next syllable
    ['달', '닭갈비'],
    ['고', '과자'],
    ['ㅈㅅㅁㅇ', '점심 모임'],
    ['점심모', '점심 모임'],
    ['점 모', '점심 모임'],
    ['모 점', '점심 모임'],
    ['ㅁㅇ', '점심 모임'],
    ['ㄳ', '감사'],
    ['점심'.normalize('NFD'), '점심'],
    ['점심', '점심'.normalize('NFD')],
    ['LOB', 'lobby'],
    ['lby', 'Lobby'],
    ['민ㅅ', '김민수'],
  ])
    assert.ok(score(query, name) > 0, `${query} in ${name}`)
  for (const [query, name] of [
    ['머', '점심'],
    ['점신', '점심'],
    ['저심', '점심'],
    ['ㅅㅈ', '점심'],
    ['ㅈㅅㅈ', '점심'],
    ['', '점심'],
    [' ', '점심'],
    ['x', ''],
    ['ybl', 'lobby'],
    ['ㅏ', '점심'],
  ])
    assert.equal(score(query, name), 0, `${query} in ${name}`)
})

test('the better match comes first', () => {
  for (const [query, ...names] of [
    ['점심', '점심', '점심 모임', '오늘 점심', '새점심'],
    ['저', '저녁', '점심', '오늘 저녁', '오늘 점심'],
    ['ㅈㅅ', '점심', '점심 모임', '오늘 점심', '새점심'],
    ['dev', 'dev', 'dev-ops', 'team-dev', 'webdev', 'd-e-v'],
    ['ab', 'ab', 'abc', 'abcd', 'x ab', 'xab', 'axb'],
    ['모임', '모임', '모임방', '점심 모임'],
  ]) {
    const scores = names.map((name) => score(query, name))
    for (let i = 1; i < scores.length; i++) assert.ok(scores[i - 1] > scores[i], `${query}: ${names[i - 1]}, ${names[i]}`)
  }
})
