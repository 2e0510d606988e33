/**
 * What is known of a room's log: messages, rising by `m`, and the ranges in which none is missing. Two messages are
 * neighbours only inside one range.
 *
 * @typedef {import('../types').Message} Message
 * @typedef {import('../types').Range} Range
 */

/**
 * Where the first message is, or would be, that isn't before `m`.
 * @param {Message[]} messages
 * @param {number} m
 */
export function place(messages, m) {
  let low = 0
  let high = messages.length
  // What is new comes at the end.
  if (!high || messages[high - 1].m < m) return high
  while (low < high) {
    const middle = (low + high) >> 1
    if (messages[middle].m < m) low = middle + 1
    else high = middle
  }
  return low
}

/**
 * @param {Message[]} messages
 * @param {number} m
 * @returns {Message | undefined}
 */
export function find(messages, m) {
  const held = messages[place(messages, m)]
  return held?.m === m ? held : undefined
}

/**
 * The ranges, when everything from `low` to `high` is known too.
 * @param {Range[]} ranges
 * @param {number} low
 * @param {number} high
 */
export function cover(ranges, low, high) {
  if (low > high) return ranges
  const apart = ranges.filter((range) => {
    if (range.high + 1 < low || high + 1 < range.low) return true
    low = Math.min(low, range.low)
    high = Math.max(high, range.high)
    return false
  })
  return [...apart, { low, high }].sort((a, b) => a.low - b.low)
}

/**
 * A message of a page.
 * @param {any} page
 * @returns {Message}
 */
export const paged = (page) => ({
  m: page.m,
  n: page.n,
  rev: page.rev,
  by: page.by,
  name: page.name,
  at: page.at,
  text: page.text ?? null,
  edited: !!page.edited,
  deleted: !!page.deleted,
  pinned: !!page.pinned,
  reply: page.reply ?? null,
  mentions: page.mentions ?? [],
  reactions: (page.reactions ?? []).map((/** @type {any} */ [emoji, count, mine]) => ({ emoji, count, mine, who: [] })),
  nonce: page.nonce ?? null,
})

/**
 * A message as it was said. One without text was deleted since; that event follows.
 * @param {any} event
 */
export const said = (event) => paged({ ...event, m: event.seq, rev: event.seq, deleted: event.text == null })

/** @type {Record<string, (message: Message, change: any, mine: boolean) => Partial<Message>>} */
const CHANGES = {
  // What was deleted since stays so, whatever its old changes say.
  edit: ({ text }, change) => ({ text: text === null ? null : (change.text ?? text), edited: true }),
  delete: () => ({ text: null, deleted: true, pinned: false, reactions: [] }),
  pin: () => ({ pinned: true }),
  unpin: () => ({ pinned: false }),
  react({ reactions }, { emoji, by }, mine) {
    const old = reactions.find((known) => known.emoji === emoji)
    if (!old) return { reactions: [...reactions, { emoji, count: 1, mine, who: [by] }] }
    const more = { emoji, count: old.count + 1, mine: old.mine || mine, who: [...old.who, by] }
    return { reactions: reactions.map((known) => (known === old ? more : known)) }
  },
  unreact({ reactions }, { emoji, by }, mine) {
    const less = reactions.map((known) => {
      if (known.emoji !== emoji) return known
      return { emoji, count: known.count - 1, mine: known.mine && !mine, who: known.who.filter((user) => user !== by) }
    })
    return { reactions: less.filter(({ count }) => count > 0) }
  },
}

/** @param {string} op */
export const isChange = (op) => Object.hasOwn(CHANGES, op)

/**
 * The message after a change that it didn't know yet.
 * @param {Message} message
 * @param {any} change
 * @param {string | null} me
 * @returns {Message}
 */
export const changed = (message, change, me) => ({
  ...message,
  ...CHANGES[change.op](message, change, change.by === me),
  rev: change.seq,
})
