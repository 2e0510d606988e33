/** @import { Chat } from '../../model/chat.js' */

/**
 * Where one can go: the rooms of one's list, people, and rooms one could join.
 * @typedef {{ kind: string, id: string, name: string, go(): unknown, type?: string, unread?: number, online?: boolean }} Place
 *
 * @param {Chat} chat
 * @param {{ id: string, name: string, kind: string }[]} others
 * @returns {Place[]}
 */
export function places(chat, others) {
  /** @type {Place[]} */
  const rooms = chat.list.value.map(({ id, name, kind, n, readn }) => {
    return { kind: 'room', type: kind, id, name: name ?? id, unread: n - readn, go: () => chat.show(id) }
  })
  const direct = new Set(rooms.filter(({ type }) => type === 'direct').map(({ name }) => name))
  const people = everybody(chat)
    .filter(({ name }) => !direct.has(name))
    .map(({ user, name }) => ({ kind: 'person', id: user, name, online: chat.online.value.has(user), go: () => talk(chat, [user]) }))
  const joinable = others.map(({ id, name, kind }) => ({ kind: 'join', type: kind, id, name, go: () => join(chat, id) }))
  return [...rooms, ...people, ...joinable]
}

/** Who is there to talk to: everybody is in the lobby. @param {Chat} chat */
export function everybody(chat) {
  return (chat.detail('lobby').value?.members ?? []).filter(({ user }) => user !== chat.me.value?.user)
}

/** Goes to the direct message with these people, which is there or is made. @param {Chat} chat @param {string[]} members */
export async function talk(chat, members) {
  const made = await tried(chat, chat.api.create({ kind: 'direct', members }))
  if (made) chat.show(made.id)
}

/** @param {Chat} chat @param {string} room */
export async function join(chat, room) {
  if (chat.me.value && (await tried(chat, chat.api.admit(room, chat.me.value.user).then(() => true)))) chat.show(room)
}

/**
 * @template T
 * @param {Chat} chat
 * @param {Promise<T>} doing
 */
async function tried(chat, doing) {
  try {
    return await doing
  } catch (problem) {
    chat.complaint.value = /** @type {any} */ (problem).detail || String(problem)
  }
}
