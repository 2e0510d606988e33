import { kept } from './kept.js'

/** The secret that makes this device a user, and the name that a new user asks for. */
export const key = kept('key', '')
export const name = kept('name', '')
