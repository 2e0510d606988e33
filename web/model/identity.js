import { kept } from './kept.js'

/** The secret that makes this device a user, and the name that a new user asks for. */
export const key = kept('key', '')
export const name = kept('name', '')

/** This device is somebody else from now on: what was the former user's goes. @param {string} other their key */
export function become(other) {
  if (key.value === other) return
  try {
    for (const what of Object.keys(localStorage)) if (/^damso\.(draft|told)/.test(what)) localStorage.removeItem(what)
  } catch {} // nothing was kept
  key.value = other
  name.value = ''
}

/** Nobody is here any more. What is in the database goes when the page comes back without it. */
export function leave() {
  become('')
  location.reload()
}

/** Of those who left, nothing stays on the device. */
export async function clean() {
  for (const { name } of await indexedDB.databases()) if (name?.startsWith('damso-')) indexedDB.deleteDatabase(name)
}
