const KEY = 'damso.draft.'
const PAUSE = 300 // ms without a key, after which a draft is written down

/** @typedef {{ text: string, reply?: number }} Draft */

/** What is written and not sent, bound to its room; kept over a reload, and the same in all tabs. */
class Drafts {
  #waiting = /** @type {Map<string, Draft>} */ (new Map())
  #held = /** @type {Map<string, Draft>} */ (new Map()) // where nothing can be kept
  #timer = 0

  constructor() {
    addEventListener('storage', ({ key }) => key?.startsWith(KEY) && this.#held.delete(key.slice(KEY.length)))
    addEventListener('pagehide', () => this.flush())
    document.addEventListener('visibilitychange', () => document.hidden && this.flush())
  }

  /** @param {string} room @returns {Draft} */
  read(room) {
    try {
      return this.#held.get(room) ?? { text: '', ...JSON.parse(localStorage.getItem(KEY + room) ?? '{}') }
    } catch {
      return { text: '' }
    }
  }

  /** Writes it down when the keys rest. @param {string} room @param {Draft} draft */
  later(room, draft) {
    this.#waiting.set(room, draft)
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.flush(), PAUSE)
  }

  flush() {
    clearTimeout(this.#timer)
    for (const [room, draft] of this.#waiting) this.write(room, draft)
  }

  /** @param {string} room @param {Draft} draft */
  write(room, draft) {
    this.#waiting.delete(room)
    this.#held.set(room, draft)
    try {
      if (draft.text || draft.reply) localStorage.setItem(KEY + room, JSON.stringify(draft))
      else localStorage.removeItem(KEY + room)
    } catch {} // full, or forbidden
  }

  /** Tells when another tab has changed a room's draft. @param {string} room @param {() => void} then */
  watch(room, then) {
    const heard = (/** @type {StorageEvent} */ event) => event.key === KEY + room && then()
    addEventListener('storage', heard)
    return () => removeEventListener('storage', heard)
  }
}

export const drafts = new Drafts()
