/**
 * What the user said and changed, until it is durable and shown: entries in the order in which they were made. An entry
 * is never changed, another one takes its place.
 *
 * @typedef {import('../types').Entry} Entry
 * @typedef {import('./client.js').Client} Client
 */

/**
 * @param {Client} c
 * @param {string} nonce
 */
export const entry = (c, nonce) => c.outbox.find((held) => held.nonce === nonce)

/**
 * @param {Client} c
 * @param {Entry | undefined} old
 * @param {Partial<Entry>} change
 */
export function amend(c, old, change) {
  c.outbox = c.outbox.map((held) => (held === old ? { ...held, ...change } : held))
}

/**
 * Keeps the entries that pass; the list stays the same one if all do.
 * @param {Client} c
 * @param {(held: Entry) => boolean} test
 */
export function keep(c, test) {
  if (!c.outbox.every(test)) c.outbox = c.outbox.filter(test)
}

/**
 * What the room shows by itself needn't be shown here.
 * @param {Client} c
 * @param {string} room
 * @param {number} last
 */
export function shown(c, room, last) {
  keep(c, (held) => held.room !== room || held.acked === null || held.acked > last)
}

/**
 * The first entry of each room that may be sent now.
 * @param {Client} c
 * @param {(room: string) => boolean} isBusy
 */
export function due(c, isBusy) {
  const rooms = new Set()
  return c.outbox.filter(({ room, acked, inFlight, elsewhere }) => {
    if (acked !== null || elsewhere || rooms.has(room)) return false
    rooms.add(room)
    return !inFlight && !isBusy(room)
  })
}
