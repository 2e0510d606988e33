import { score, typed } from './hangul.js'

/**
 * @template {{ name: string }} T
 * @typedef {{ found: T[], reading: string | undefined }} Choices `reading`: what the query says in the other keyboard
 *   layout, if that finds more, or makes sense where nothing is found
 */

/**
 * Those of `all` whose names a query finds, the best first; in their own order where it says nothing.
 * @template {{ name: string }} T
 * @param {string} query
 * @param {T[]} all
 * @returns {Choices<T>}
 */
export function choices(query, all) {
  if (!query.trim()) return { found: all, reading: undefined }
  const other = typed(query)
  const ranked = all.map((each) => ({ each, own: score(query, each.name), other: other === query ? 0 : score(other, each.name) }))
  const best = (/** @type {'own' | 'other'} */ which) => Math.max(0, ...ranked.map((rank) => rank[which]))
  const rank = (/** @type {{ own: number, other: number }} */ { own, other }) => Math.max(own, other * 0.9)
  const found = ranked.filter(rank).sort((a, b) => rank(b) - rank(a))
  return { found: found.map(({ each }) => each), reading: best('other') > best('own') || (!found.length && makesSense(query, other)) ? other : undefined }
}

/**
 * Syllables, and no letter left over; or a Latin word, where the query has vowels that stand alone.
 * @param {string} query
 * @param {string} other
 */
function makesSense(query, other) {
  return /[가-힣]{2}/.test(other) ? !/[ㄱ-ㅣ]/.test(other) : /[ㅏ-ㅣ]/.test(query)
}
