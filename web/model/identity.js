import { kept } from './kept.js'

/** The secret that makes this device a user, and the name that a new user asks for. */
export const key = kept('key', '')
export const name = kept('name', '')

/** Nobody is here any more: what was theirs goes. What is in the database goes when the page comes back without it. */
export function leave() {
  for (const what of Object.keys(localStorage)) if (/^damso\.(draft|told)/.test(what)) localStorage.removeItem(what)
  key.value = ''
  name.value = ''
  location.reload()
}

/** Of those who left, nothing stays on the device. */
export async function clean() {
  for (const { name } of await indexedDB.databases()) if (name?.startsWith('damso-')) indexedDB.deleteDatabase(name)
}
