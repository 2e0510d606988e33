/**
 * How often the user is called: messages that mention them, and all direct ones.
 * @param {import('../../types').RoomEntry[]} rooms
 */
export const calls = (rooms) =>
  rooms.reduce((sum, { kind, n, readn, mentions }) => sum + (kind === 'direct' ? Math.max(0, n - readn) : mentions), 0)

/** @param {number} count @param {string} room @param {string} app */
export const titled = (count, room, app) => `${count ? `(${count}) ` : ''}${room} · ${app}`
