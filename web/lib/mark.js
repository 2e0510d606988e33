const TONES = 6

/** Two signs for the mark beside a name: of a Korean one the given name, else the first letters of its words. @param {string} name */
export function mark(name) {
  const given = /^\p{Script=Hangul}(\p{Script=Hangul}{2})$/u.exec(name)?.[1]
  if (given) return given
  const [first = '', second = ''] = name.split(/[\s._-]+/u).filter(Boolean)
  const signs = second ? [...first].slice(0, 1).concat([...second][0]) : [...first].slice(0, 2)
  return signs.join('').toUpperCase()
}

/** One of six colours, 0 to 5, the same for a user every time. @param {string} user */
export function tone(user) {
  let hash = 7
  for (const char of user) hash = (hash * 31 + /** @type {number} */ (char.codePointAt(0))) >>> 0
  return ((hash ^ (hash >>> 15)) >>> 0) % TONES
}
