const NEAR = 40 // px from the end that still count as being there

/** @typedef {{ m: number, top: number }} Place a message, and how far below the upper edge it begins */

/** The one that scrolls the conversation. What is read stays where it is, whatever comes above it or below. */
export class Scroll {
  /** whether what comes is followed */
  following = true
  /** whether the end of what is on the page is the end of the conversation */
  isWhole = true
  #box
  #rows
  #on
  #top = 0
  #anchor = /** @type {{ row: HTMLElement, top: number } | null} */ (null)
  #wanted = /** @type {{ m: number | 'new', top?: number, done(row: HTMLElement): void } | null} */ (null)
  #observer = new ResizeObserver(() => this.settle())

  /**
   * @param {HTMLElement} box
   * @param {HTMLElement} rows what is scrolled, a child for each row
   * @param {(above: number, below: number) => void} on after each scroll, with how much is to be seen there, in screens
   */
  constructor(box, rows, on) {
    this.#box = box
    this.#rows = rows
    this.#on = on
    box.addEventListener('scroll', this.#scrolled, { passive: true })
    this.#observer.observe(box)
    this.#observer.observe(rows)
  }

  stop() {
    this.#observer.disconnect()
    this.#box.removeEventListener('scroll', this.#scrolled)
  }

  /** Before the rows change. */
  measure() {
    const row = this.#visible()
    this.#anchor = row && { row, top: this.#topOf(row) }
  }

  /** After they have changed, or their heights have. */
  settle() {
    const wanted = this.#wanted
    const row = wanted && this.row(wanted.m)
    if (row) {
      const centred = Math.max(0, (this.#box.clientHeight - row.offsetHeight) / 2)
      this.#by(this.#topOf(row) - (wanted.top ?? centred))
      this.#wanted = null
      wanted.done(row)
    } else if (this.following && this.isWhole) {
      this.#box.scrollTop = this.#box.scrollHeight
    } else if (this.#anchor?.row.isConnected) {
      this.#by(this.#topOf(this.#anchor.row) - this.#anchor.top)
    }
    this.#scrolled()
  }

  /** Where the reader is; null at the end. @returns {Place | null} */
  place() {
    const row = this.following && this.isWhole ? null : this.#visible()
    return row && { m: Number(row.dataset.m), top: this.#topOf(row) }
  }

  /** To the end, and stay there. */
  toEnd() {
    this.following = true
    this.#wanted = null
    this.settle()
  }

  /** To a row as soon as it is there: to the middle, if not said otherwise. @param {number | 'new'} m @param {number} [top] */
  to(m, top) {
    this.following = false
    return new Promise((/** @type {(row: HTMLElement) => void} */ done) => {
      this.#wanted = { m, top, done }
      this.settle()
    })
  }

  /** @param {number | 'new'} m */
  row(m) {
    return /** @type {HTMLElement | null} */ (this.#rows.querySelector(`[data-m="${m}"]`))
  }

  /** How far a row is above the view; 0 or less if it isn't. @param {HTMLElement} row */
  above(row) {
    return -this.#topOf(row)
  }

  // What comes between a scroll and its event must not count as scrolled up: only going up is.
  #scrolled = () => {
    const { scrollTop, scrollHeight, clientHeight } = this.#box
    const below = scrollHeight - scrollTop - clientHeight
    const isNear = this.isWhole && below < NEAR
    if (isNear || scrollTop < this.#top) this.following = isNear
    this.#top = scrollTop
    this.measure()
    this.#on(scrollTop / clientHeight, below / clientHeight)
  }

  /** @param {number} px */
  #by(px) {
    if (Math.abs(px) > 0.1) this.#box.scrollTop += px
  }

  /** @param {HTMLElement} row */
  #topOf(row) {
    return row.getBoundingClientRect().top - this.#box.getBoundingClientRect().top
  }

  // The first message in view, by halves: rows stand in order.
  #visible() {
    const rows = /** @type {HTMLCollectionOf<HTMLElement>} */ (this.#rows.children)
    const edge = this.#box.getBoundingClientRect().top
    let low = 0
    let high = rows.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (rows[middle].getBoundingClientRect().bottom <= edge) low = middle + 1
      else high = middle
    }
    while (low < rows.length && !Number(rows[low].dataset.m)) low++
    return rows[low] ?? null
  }
}
