/** @import { Waiting } from '../types' */

const ANSWER = 200 // ms in which a living tab says what it has to send

/**
 * @typedef {{ made(waiting: Waiting): void, gone(nonce: string, seq?: number | null): void, held(): { waiting: Waiting[],
 *   refused: string[] } }} On
 */

/** What the tabs of one person tell each other. Where they can't, each is alone. */
export class Tabs {
  #channel = /** @type {BroadcastChannel | null} */ (null)
  #claimed = /** @type {Set<string>} */ (new Set())

  /** @param {string} name @param {On} on */
  constructor(name, on) {
    try {
      this.#channel = new BroadcastChannel(name)
    } catch {
      return
    }
    this.#channel.onmessage = ({ data: { made = [], gone, seq, ask, refused = [] } }) => {
      for (const waiting of made) {
        this.#claimed.add(waiting.nonce)
        on.made(waiting)
      }
      for (const nonce of refused) this.#claimed.add(nonce)
      if (gone) on.gone(gone, seq)
      if (ask) {
        const { waiting, refused } = on.held()
        this.#channel?.postMessage({ made: waiting, refused })
      }
    }
  }

  /** @param {Waiting} waiting */
  made(waiting) {
    this.#channel?.postMessage({ made: [waiting] })
  }

  /** @param {string} nonce @param {number | null} [seq] */
  gone(nonce, seq) {
    this.#channel?.postMessage({ gone: nonce, seq })
  }

  /** What the other living tabs have to send, or to show as refused. @returns {Promise<Set<string>>} nonces */
  async claimed() {
    if (!this.#channel) return new Set()
    this.#claimed = new Set()
    this.#channel.postMessage({ ask: true })
    await new Promise((done) => setTimeout(done, ANSWER))
    return this.#claimed
  }
}
