/** @typedef {'switcher' | 'up' | 'down' | 'unreadUp' | 'unreadDown' | 'search' | 'find' | 'keys' | 'escape'} Act */
/** @typedef {Pick<KeyboardEvent, 'key' | 'code' | 'keyCode' | 'isComposing' | 'altKey' | 'ctrlKey' | 'metaKey' | 'shiftKey'>} Press */

export const isMac = /Mac|iP(hone|ad|od)/.test(globalThis.navigator?.platform ?? '')

/**
 * All keys, in the order in which the dialog has them; `does` is a word of words/keys.js. Those with an `act` are heard
 * by the whole page, some of them not by who is writing; the others are known where they are pressed.
 * @type {{ part: 'page' | 'writing' | 'log', keys: string[], does: string, act?: Act, notTyping?: boolean }[]}
 */
export const KEYS = [
  { part: 'page', keys: ['Mod+K'], does: 'switcher', act: 'switcher' },
  { part: 'page', keys: ['Alt+ArrowUp'], does: 'up', act: 'up' },
  { part: 'page', keys: ['Alt+ArrowDown'], does: 'down', act: 'down' },
  { part: 'page', keys: ['Alt+Shift+ArrowUp'], does: 'unreadUp', act: 'unreadUp' },
  { part: 'page', keys: ['Alt+Shift+ArrowDown'], does: 'unreadDown', act: 'unreadDown' },
  { part: 'page', keys: ['/'], does: 'search', act: 'search', notTyping: true },
  { part: 'page', keys: ['Mod+F'], does: 'find', act: 'find' },
  { part: 'page', keys: ['Escape'], does: 'escape', act: 'escape' },
  { part: 'page', keys: ['?'], does: 'keys', act: 'keys', notTyping: true },
  { part: 'writing', keys: ['Enter'], does: 'send' },
  { part: 'writing', keys: ['Shift+Enter'], does: 'line' },
  { part: 'writing', keys: ['ArrowUp'], does: 'editLast' },
  { part: 'writing', keys: ['Mod+B'], does: 'bold' },
  { part: 'writing', keys: ['Mod+I'], does: 'italic' },
  { part: 'log', keys: ['J', 'ArrowDown'], does: 'next' },
  { part: 'log', keys: ['K', 'ArrowUp'], does: 'previous' },
  { part: 'log', keys: ['R'], does: 'reply' },
  { part: 'log', keys: ['E'], does: 'edit' },
  { part: 'log', keys: ['+'], does: 'react' },
  { part: 'log', keys: ['C'], does: 'copy' },
  { part: 'log', keys: ['Delete'], does: 'remove' },
]

/**
 * What a press means for the whole page, if anything. Presses that belong to an input method or to the system are
 * nobody else's.
 * @param {Press} press
 * @param {{ mac?: boolean, typing?: boolean }} where
 * @returns {Act | undefined}
 */
export function meaning(press, { mac = isMac, typing = false }) {
  const { key, code, altKey, ctrlKey, metaKey, shiftKey } = press
  if (press.isComposing || press.keyCode === 229 || (mac ? ctrlKey : metaKey)) return
  // In the Korean layout the keys of letters give letters of another script.
  const letter = key.length === 1 && key > '~' && /^Key[A-Z]$/.test(code ?? '') ? code.slice(3) : key.length === 1 ? key.toUpperCase() : key
  const shift = shiftKey && !/^[^A-Z]$/.test(letter) // what a sign's shift did is in the sign
  const chord = `${(mac ? metaKey : ctrlKey) ? 'Mod+' : ''}${altKey ? 'Alt+' : ''}${shift ? 'Shift+' : ''}${letter}`
  return KEYS.find(({ keys, act, notTyping }) => act && keys.includes(chord) && !(notTyping && typing))?.act
}

const SIGNS = /** @type {Record<string, string>} */ ({ ArrowUp: '↑', ArrowDown: '↓', Escape: 'Esc', Mod: 'Ctrl' })
const MAC_SIGNS = /** @type {Record<string, string>} */ ({ Mod: '⌘', Alt: '⌥', Shift: '⇧' })

/** The caps of a chord, as they are called on this machine. @param {string} chord */
export const caps = (chord, mac = isMac) =>
  (chord === '+' ? ['+'] : chord.split('+')).map((cap) => (mac && MAC_SIGNS[cap]) || SIGNS[cap] || cap)
