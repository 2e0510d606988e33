/** Emoji by name, in English and Korean. The names are fetched when they are first asked for. */

import { beginsWord, consonants, standsAt } from './hangul.js'

/** What one reacts with most. */
export const QUICK = ['👍', '❤️', '😂', '😮', '😢', '🙏', '🎉', '👀']

/**
 * @typedef {object} Emoji
 * @property {string} glyph
 * @property {string[]} codes shortcodes, the first of them the one to show
 * @property {{en: string, ko: string}} name
 * @property {number} group
 * @property {string[]} words all by which it is found, in lower case
 */

/** @type {Promise<Emoji[]> | undefined} */
let loading

/** All of them, in the order of the groups. @returns {Promise<Emoji[]>} */
export function load() {
  loading ??= fetch(new URL('../data/emoji.json', import.meta.url))
    .then((response) => response.json())
    .then(parse)
    .catch((error) => {
      loading = undefined // so that the next one who asks tries again
      throw error
    })
  return loading
}

/**
 * @param {string[][]} groups as `tools/emoji.mjs` writes them
 * @returns {Emoji[]}
 */
export function parse(groups) {
  return groups.flatMap((lines, group) =>
    lines.map((line) => {
      const [glyph, codes, en = flag(glyph, 'en'), ko = flag(glyph, 'ko'), ...words] = line.split('|')
      const named = split(codes).concat(en.replace(/[^a-z0-9]+/g, '_').replace(/^_|_$/g, ''))
      const plain = named.map((code) => code.replace(/_/g, ' '))
      return { glyph, codes: named, name: { en, ko }, group, words: [...plain, en, ko, ...words.flatMap(split)] }
    }),
  )
}

/** @type {Record<string, Intl.DisplayNames>} */
const regions = {}

/**
 * The name of a country's flag, which the browser knows: its letters are those of the country's code.
 * @param {string} glyph
 * @param {string} lang
 */
function flag(glyph, lang) {
  const code = [...glyph].map((letter) => String.fromCharCode((letter.codePointAt(0) ?? 0) - 0x1f1e6 + 65)).join('')
  regions[lang] ??= new Intl.DisplayNames(lang, { type: 'region' })
  return (regions[lang].of(code) ?? code).toLowerCase()
}

/** @param {string} words */
const split = (words) => words.split(' ').filter(Boolean)

/**
 * The best of `all` for a query, at most `limit`; all of them in their order if it is empty.
 * @param {Emoji[]} all
 * @param {string} query
 * @param {number} [limit]
 */
export function search(all, query, limit = Infinity) {
  const q = query.normalize('NFC').toLowerCase().replace(/^\s*:|:?\s*$/g, '').replace(/[_\s]+/g, ' ')
  if (!q) return all.slice(0, limit)
  const rank = /[ㄱ-ㅎ가-힣]/.test(q) ? inHangul(consonants(q.replace(/ /g, ''))) : inLatin(q)
  return all
    .map((emoji) => ({ emoji, rank: best(emoji, rank) }))
    .filter((found) => found.rank)
    .sort((a, b) => b.rank - a.rank)
    .slice(0, limit)
    .map((found) => found.emoji)
}

/**
 * @param {Emoji} emoji
 * @param {(word: string) => number} rank
 */
function best({ words, codes }, rank) {
  let found = 0
  for (let i = 0; i < words.length; i++) found = Math.max(found, rank(words[i]) * (i < codes.length + 2 ? 1 : 0.9))
  return found
}

/** @typedef {(word: string) => number} Rank 3 for a beginning, 2 for a word's, 1 for within; a little more for less rest */

/** @param {string} query @returns {Rank} */
function inLatin(query) {
  return (word) => {
    const at = word.indexOf(query)
    return at < 0 ? 0 : place(word, at) + query.length / word.length
  }
}

/** @param {string} query @returns {Rank} */
function inHangul(query) {
  return (word) => {
    for (let at = 0; at <= word.length - query.length; at++) {
      if (word[at] === ' ' || !standsAt(query, word, at)) continue
      return place(word, at) + query.length / word.length + (word.startsWith(query, at) ? 0.5 : 0)
    }
    return 0
  }
}

/**
 * @param {string} word
 * @param {number} at
 */
const place = (word, at) => (at === 0 ? 3 : beginsWord(word, at) ? 2 : 1)

/**
 * The glyph called `:name:`.
 * @param {Emoji[]} all
 * @param {string} name
 */
export function glyphOf(all, name) {
  return all.find(({ codes }) => codes.includes(name))?.glyph
}
