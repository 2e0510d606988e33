const BEFORE = 40 // characters before the first mark

/**
 * A text's part around its first mark, cut into what is marked and what isn't.
 * @param {string} text
 * @param {[number, number][]} marks rising and apart, in UTF-16 units
 * @param {number} [width]
 * @returns {{ text: string, marked: boolean }[]}
 */
export function excerpt(text, marks, width = 180) {
  const first = marks[0]?.[0] ?? 0
  const from = text.length <= width || first <= BEFORE ? 0 : whole(text, Math.min(first - BEFORE, text.length - width))
  const to = whole(text, Math.min(text.length, from + width))
  const parts = []
  let at = from
  const put = (/** @type {number} */ end, /** @type {boolean} */ marked) => {
    if (end > at) parts.push({ text: text.slice(at, end), marked })
    at = Math.max(at, end)
  }
  if (from > 0) parts.push({ text: '…', marked: false })
  for (const [low, high] of marks) {
    put(Math.min(low, to), false)
    put(Math.min(high, to), true)
  }
  put(to, false)
  if (to < text.length) parts.push({ text: '…', marked: false })
  return parts
}

/** Not between the halves of a character. @param {string} text @param {number} at */
function whole(text, at) {
  return /[\udc00-\udfff]/.test(text[at] ?? '') ? at - 1 : at
}
