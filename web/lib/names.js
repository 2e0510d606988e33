/** Names as the server compares them, and whom an `@` calls. */

const NAME_MAX = 32 // characters of a name; decomposed they are more
const UNSEEN = /\p{Default_Ignorable_Code_Point}/gu
const WORD = /[\p{L}\p{N}]/u
const LATIN_END = /[A-Za-z0-9_]$/
const LATIN_START = /^[A-Za-z0-9_]/

/**
 * The form by which names are compared: without case, width, composition, and what isn't seen.
 * @param {string} name
 */
export function fold(name) {
  const seen = name.normalize('NFKC').replace(UNSEEN, '')
  return seen.toLowerCase().normalize('NFKC').replace(/\s+/g, ' ').trim()
}

/**
 * What `called` looks names up in.
 * @param {Iterable<string>} users ids, and `@room` or `@here`, as a message's `mentions` has them
 * @param {(user: string) => string | undefined} nameOf
 * @returns {Map<string, string>}
 */
export function callable(users, nameOf) {
  const names = new Map()
  for (const user of users) {
    const name = user[0] === '@' ? user.slice(1) : nameOf(user)
    if (name) names.set(fold(name), user)
  }
  return names
}

/**
 * Whom the `@` at `at` calls, by the longest name that stands there: a Korean particle may follow it (`@민수님`), but
 * `@anna` doesn't call Ann.
 * @param {string} text
 * @param {number} at
 * @param {Map<string, string>} names
 * @returns {{user: string, end: number} | undefined} `end`: where the name ends in `text`
 */
export function called(text, at, names) {
  if (WORD.test(text.slice(Math.max(0, at - 2), at).match(/.$/su)?.[0] ?? '')) return // as in an address of mail
  const longest = Math.max(...[...names.keys()].map((name) => name.length))
  let found
  let end = at + 1
  for (const character of text.slice(end, end + 4 * NAME_MAX)) {
    end += character.length
    const name = text.slice(at + 1, end)
    const folded = fold(name)
    if (folded.length > longest) break
    if (/^\s|\s$/.test(name) || (LATIN_END.test(name) && LATIN_START.test(text.slice(end, end + 1)))) continue
    const user = names.get(folded)
    if (user) found = { user, end }
  }
  return found
}
