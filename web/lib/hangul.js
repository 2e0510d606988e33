/**
 * Hangul as it is typed: taken apart into the letters of its keys, found by its first consonants or by a syllable that
 * is still being composed, and read again when it was typed in the other layout (two-set, 두벌식).
 */

const INITIALS = 'ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ'
const VOWELS = 'ㅏㅐㅑㅒㅓㅔㅕㅖㅗㅘㅙㅚㅛㅜㅝㅞㅟㅠㅡㅢㅣ'
const FINALS = ' ㄱㄲㄳㄴㄵㄶㄷㄹㄺㄻㄼㄽㄾㄿㅀㅁㅂㅄㅅㅆㅇㅈㅊㅋㅌㅍㅎ' // a space: none
const TWO_KEYS = 'ㅘㅗㅏ ㅙㅗㅐ ㅚㅗㅣ ㅝㅜㅓ ㅞㅜㅔ ㅟㅜㅣ ㅢㅡㅣ ㄳㄱㅅ ㄵㄴㅈ ㄶㄴㅎ ㄺㄹㄱ ㄻㄹㅁ ㄼㄹㅂ ㄽㄹㅅ ㄾㄹㅌ ㄿㄹㅍ ㅀㄹㅎ ㅄㅂㅅ'
const KEYS = 'qwertyuiopasdfghjklzxcvbnmQWERTOP'
const LETTERS = 'ㅂㅈㄷㄱㅅㅛㅕㅑㅐㅔㅁㄴㅇㄹㅎㅗㅓㅏㅣㅋㅌㅊㅍㅠㅜㅡㅃㅉㄸㄲㅆㅒㅖ'

const FIRST = 0xac00 // 가
const SPLIT = new Map(TWO_KEYS.split(' ').map(([whole, ...parts]) => [whole, parts.join('')]))
const JOINED = new Map([...SPLIT].map(([whole, parts]) => [parts, whole]))
const SYLLABLE = syllables()

function syllables() {
  const pairs = [...SPLIT.values()]
  const vowel = `(?:${pairs.filter(([first]) => VOWELS.includes(first)).join('|')}|[ㅏ-ㅣ])`
  const final = `(?:${pairs.filter(([first]) => !VOWELS.includes(first)).join('|')}|[${FINALS.trim()}])`
  return new RegExp(`([ㄱ-ㅎ])(${vowel})(${final}(?![ㅏ-ㅣ]))?|${vowel}`, 'g')
}

/** @param {string} character */
function initial(character) {
  const code = character.charCodeAt(0) - FIRST
  return code >= 0 && code < 11172 ? INITIALS[Math.floor(code / 588)] : character
}

/**
 * The letters of a text, one for each key that types it.
 * @param {string} text in NFC
 */
function letters(text) {
  return text.replace(/[가-힣ㄱ-ㅣ]/g, (character) => {
    const code = character.charCodeAt(0) - FIRST
    if (code < 0) return SPLIT.get(character) ?? character
    const parts = [VOWELS[Math.floor((code % 588) / 28)], FINALS[code % 28].trim()]
    return initial(character) + parts.map((part) => SPLIT.get(part) ?? part).join('')
  })
}

/**
 * What the keys of `text`, typed in the English layout, say in the Korean one: dkssud is 안녕.
 * @param {string} text
 */
export function toHangul(text) {
  const typed = text.replace(/[A-Za-z]/g, (key) => LETTERS[KEYS.indexOf(KEYS.includes(key) ? key : key.toLowerCase())])
  return typed.replace(SYLLABLE, (alone, first, vowel, final = '') => {
    if (!first) return JOINED.get(alone) ?? alone
    const middle = VOWELS.indexOf(JOINED.get(vowel) ?? vowel)
    const last = final ? FINALS.indexOf(JOINED.get(final) ?? final) : 0
    return String.fromCharCode(FIRST + INITIALS.indexOf(first) * 588 + middle * 28 + last)
  })
}

/**
 * What the keys of `text`, typed in the Korean layout, say in the English one: ㅗ디ㅣㅐ is hello.
 * @param {string} text
 */
export function toLatin(text) {
  return letters(text.normalize('NFC')).replace(/[ㄱ-ㅣ]/g, (letter) => KEYS[LETTERS.indexOf(letter)] ?? letter)
}

/**
 * `text` as it reads if it was typed in the other layout than was meant.
 * @param {string} text
 */
export function typed(text) {
  return /[ㄱ-ㅣ가-힣]/.test(text.normalize('NFC')) ? toLatin(text) : toHangul(text)
}

/**
 * Whether `query`, which is without spaces, stands in `text` at `at`: a consonant alone is the beginning of any syllable
 * with it, and the last syllable may be on its way to another, as 저 or 점 to 저미.
 * @param {string} query
 * @param {string} text
 * @param {number} at
 */
export function standsAt(query, text, at) {
  for (let i = 0; i < query.length; i++, at++) {
    while (i && text[at] === ' ') at++
    if (query[i] === text[at]) continue
    if (at >= text.length || initial(query[i]) !== initial(text[at])) return false
    if (query[i] === initial(text[at])) continue
    return i === query.length - 1 && letters(text.slice(at, at + 2)).startsWith(letters(query[i]))
  }
  return true
}

/**
 * @param {string} text
 * @param {number} at
 */
export function beginsWord(text, at) {
  return at === 0 || !/[\p{L}\p{N}]/u.test(text[at - 1])
}

/**
 * How well `query` finds `name`, 0 for not at all: all of it, its beginning, a word's beginning, within; a little less
 * by a syllable under way, then by first consonants, by words in any order, last by its characters in their order.
 * @param {string} query
 * @param {string} name
 */
export function score(query, name) {
  const [sought, text] = [query, name].map((each) => each.normalize('NFC').toLowerCase().trim().replace(/\s+/g, ' '))
  const q = consonants(close(sought))
  if (!q) return 0
  if (q === close(text)) return 100
  const indirect = /[ㄱ-ㅎ]/.test(q) ? 50 : 76
  let best = 0
  for (let at = 0; at < text.length; at++) {
    if (text[at] === ' ' || !standsAt(q, text, at)) continue
    const place = at === 0 ? 15 : beginsWord(text, at) ? 8 : 0
    best = Math.max(best, place + (text.startsWith(q, at) ? 80 : indirect))
  }
  const words = sought.split(' ')
  if (!best && words.length > 1 && words.every((word) => score(word, name))) best = 40
  if (!best && q.length > 1 && inOrder(q, text)) best = 10
  return best && best + 1 / (1 + text.length) // the shorter of two names comes first
}

/**
 * ㄳ, as some input methods make of two first consonants, taken apart.
 * @param {string} query
 */
export function consonants(query) {
  return query.replace(/[ㄳ-ㅄ]/g, (pair) => SPLIT.get(pair) ?? pair)
}

/** @param {string} text */
function close(text) {
  return text.replace(/\s/g, '')
}

/**
 * @param {string} query
 * @param {string} text
 */
function inOrder(query, text) {
  let at = -1
  for (const character of query) if ((at = text.indexOf(character, at + 1)) < 0) return false
  return true
}
