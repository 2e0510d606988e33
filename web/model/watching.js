/** @type {Map<object, string[]>} */
const wanted = new Map()

/**
 * Whose coming and going one view wants to know; `chat.watch` has one list for all of them.
 * @param {import('./chat.js').Chat} chat
 * @param {object} view what wants it: anything that is its own
 * @param {string[]} users
 */
export function watch(chat, view, users) {
  if (String(users) === String(wanted.get(view) ?? [])) return
  wanted.set(view, users)
  chat.watch([...new Set([...wanted.values()].flat())].slice(0, 200))
}
