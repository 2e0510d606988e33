/** @import { RoomEntry } from '../types' */

const ALL = ['@room', '@here']

/**
 * A message that somebody may have to be told of: what a notice of the client says about it.
 * @param {any} notice
 * @param {string | undefined} me
 * @param {(room: string) => RoomEntry | undefined} entry
 * @returns {{ room: string, m: number, name: string, text: string, direct: boolean } | null}
 */
export function call(notice, me, entry) {
  const { room, m, by, name, text, mentions = [] } =
    notice.notice === 'message' ? { ...notice, m: notice.seq } : notice.notice === 'bump' ? (notice.preview ?? {}) : {}
  const there = entry(room)
  if (!there || by === me || there.notify === 'nothing' || m <= there.read) return null
  const direct = there.kind === 'direct'
  const isCalled = notice.notice === 'bump' || mentions.some((/** @type {string} */ user) => user === me || ALL.includes(user))
  return direct || isCalled ? { room, m, name, text: text ?? '', direct } : null
}

/**
 * Of all tabs that heard of it, one tells; `told` is what they have in common.
 * @param {{ getItem(key: string): string | null, setItem(key: string, value: string): void }} told
 * @param {{ room: string, m: number }} call
 */
export function isFirst(told, { room, m }) {
  const key = `damso.told.${room}`
  try {
    if (Number(told.getItem(key)) >= m) return false
    told.setItem(key, `${m}`)
  } catch {} // nothing is shared; the tag keeps them from being two
  return true
}
