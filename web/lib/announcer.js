const QUIET = 1500 // ms between two announcements

/**
 * Tells a screen reader what is new without reading the whole log to it: the first line at once, then at most one
 * announcement in `QUIET` ms, a number when there was more than one line.
 */
export class Announcer {
  #say
  #count
  #waiting = /** @type {string[]} */ ([])
  #timer = /** @type {any} */ (0)

  /**
   * `say(text)` speaks; `count(n)` words "n new messages".
   * @param {(text: string) => void} say
   * @param {(n: number) => string} count
   */
  constructor(say, count) {
    this.#say = say
    this.#count = count
  }

  /** @param {string} text */
  add(text) {
    this.#waiting.push(text)
    if (!this.#timer) this.#next()
  }

  #next() {
    const lines = this.#waiting.splice(0)
    this.#timer = lines.length && setTimeout(() => this.#next(), QUIET)
    if (lines.length) this.#say(lines.length === 1 ? lines[0] : this.#count(lines.length))
  }
}
