/** What is asked for by an `@` or a `:` before the caret, and who answers to it. */

import { score } from './hangul.js'

const REACH = 34 // code units before the caret; a name has 32 characters at most
const FITS = 50 // the least score: less is letters in any order
const SHOWN = 8
// Not within a word, as in an address of mail; what stands after a URL's or a time's colon is no emoji.
const ASKED = /(?:^|[^\p{L}\p{N}@:])(?:@([^\s@:][^\n@:]*)?|(?<=^|[\s(]):([\p{L}\p{N}_+-]+))$/u

/**
 * @typedef {{ kind: '@' | ':', at: number, query: string }} Asked `at`: where the sign stands
 * @typedef {{ user: string, name: string, online?: boolean, spoke?: number }} Person `spoke`: the later the greater
 */

/**
 * @param {string} text
 * @param {number} caret
 * @returns {Asked | null}
 */
export function asked(text, caret) {
  const start = Math.max(0, caret - REACH)
  const found = ASKED.exec(text.slice(start, caret))
  if (!found) return null
  const [, name, emoji] = found
  const query = emoji ?? name ?? ''
  // `:D` and `:p` are said as they are; a syllable says as much as two letters.
  if (emoji && [...emoji].length < 2 && !/[가-힣]/.test(emoji)) return null
  return { kind: emoji ? ':' : '@', at: caret - query.length - 1, query }
}

/**
 * Those whom `query` may mean: the better match first, then who is here, then who spoke last.
 * @template {Person} P
 * @param {string} query
 * @param {P[]} people
 * @returns {P[]}
 */
export function answering(query, people) {
  const begun = query.toLowerCase()
  return people
    .map((person) => ({ person, fit: !query ? 1 : fits(begun, person.name) }))
    .filter(({ fit }) => fit)
    .sort(
      (a, b) =>
        b.fit - a.fit ||
        Number(b.person.online ?? false) - Number(a.person.online ?? false) ||
        (b.person.spoke ?? 0) - (a.person.spoke ?? 0) ||
        a.person.name.localeCompare(b.person.name),
    )
    .slice(0, SHOWN)
    .map(({ person }) => person)
}

/** @param {string} begun @param {string} name */
function fits(begun, name) {
  // After a space the text goes on, unless it is a name's.
  if (/\s/.test(begun)) return name.toLowerCase().startsWith(begun) ? 1 : 0
  const fit = score(begun, name)
  return fit < FITS ? 0 : Math.floor(fit)
}

/**
 * What is put into the text for a name. A Korean particle follows its name without a space: `@민수야`.
 * @param {string} name
 */
export const call = (name) => `@${name}${/[가-힣]$/.test(name.normalize('NFC')) ? '' : ' '}`
