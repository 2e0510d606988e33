import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { QUICK, glyphOf, parse, search } from '../lib/emoji.js'
import { emoji, licence } from '../tools/emoji.mjs'

const file = await readFile(new URL('../data/emoji.json', import.meta.url), 'utf8')
const all = parse(JSON.parse(file))

test('the data is what the tool makes of its source, and small', async () => {
  assert.equal(file, await emoji())
  assert.equal(await readFile(new URL('../data/LICENSES.txt', import.meta.url), 'utf8'), await licence())
  assert.ok(gzipSync(file, { level: 9 }).length < 60_000)
})

test('each glyph stands there once and has names in both languages', () => {
  assert.equal(new Set(all.map(({ glyph }) => glyph)).size, all.length)
  for (const { glyph, name, codes } of all) {
    assert.ok(name.en && name.ko, glyph)
    assert.match(codes[0], /^[+\-a-z0-9_]+$/)
  }
  for (const glyph of QUICK) assert.ok(all.some((each) => each.glyph === glyph), glyph)
})

test('a shortcode names a glyph', () => {
  for (const [name, glyph] of [['smile', '😄'], ['+1', '👍'], ['thumbs_up', '👍'], ['tada', '🎉'], ['heart', '❤️'], ['kr', '🇰🇷'], ['fire', '🔥']])
    assert.equal(glyphOf(all, name), glyph, name)
  assert.equal(glyphOf(all, 'no such'), undefined)
})

test('the search reads English, Korean, first consonants and shortcodes', () => {
  for (const [query, glyph, among] of [
    ['smile', '😄', 1],
    [':tada:', '🎉', 1],
    ['party', '🎉', 3],
    ['thumbs up', '👍', 1],
    ['thumbs_up', '👍', 1],
    ['heart', '❤️', 3],
    ['dog', '🐶', 3],
    ['엄지', '👍', 5],
    ['따봉', '👍', 1],
    ['ㅎㅌ', '❤️', 60],
    ['파티', '🎉', 3],
    ['ㅍㅌ', '🎉', 10],
    ['강아지', '🐶', 3],
    ['대한민국', '🇰🇷', 1],
    ['좋아요', '👍', 3],
    ['최고', '👍', 8],
    ['커피', '☕', 1],
    ['ㅋㅍ', '☕', 12],
  ]) {
    const found = search(all, query, among).map((each) => each.glyph)
    assert.ok(found.includes(glyph), `${query}: ${found.join(' ')}`)
  }
  assert.deepEqual(search(all, 'zzzz'), [])
  assert.equal(search(all, '', 10).length, 10)
})
