const SEARCHED = 8 // rows in view, among which one is measured
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
  #height = 0
  #anchor = /** @type {{ row: HTMLElement, at: number, top: number } | null} */ (null)
  #wanted = /** @type {{ m: number | 'new', top?: number, done(row: HTMLElement): void } | null} */ (null)
  #observer = new ResizeObserver(() => this.settle(this.#box.scrollTop))

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
    this.#anchor = row && { row, at: this.#placeOf(row), top: this.#box.scrollTop }
  }

  /** After they have changed, or their heights have. @param {number} [top] where it was scrolled to, if that isn't what was measured */
  settle(top = this.#anchor?.top) {
    this.#look()
    const wanted = this.#wanted
    const row = wanted && this.row(wanted.m)
    const anchor = this.#anchor
    if (row) {
      const centred = Math.max(0, (this.#box.clientHeight - row.offsetHeight) / 2)
      this.#box.scrollTop += this.#topOf(row) - (wanted.top ?? centred)
      this.#wanted = null
      wanted.done(row)
    } else if (this.following && this.isWhole) {
      this.#box.scrollTop = this.#box.scrollHeight
    } else if (anchor?.row.isConnected && top !== undefined) {
      const to = top + this.#placeOf(anchor.row) - anchor.at
      if (Math.abs(to - this.#box.scrollTop) > 0.1) this.#box.scrollTop = to
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

  #scrolled = () => {
    const { scrollTop, clientHeight } = this.#box
    const below = this.#look()
    this.measure()
    this.#on(scrollTop / clientHeight, below / clientHeight)
  }

  // What comes between a scroll and its event must not count as scrolled up: only going up is, and no further than a box
  // that has become higher is scrolled by the browser.
  #look() {
    const { scrollTop, scrollHeight, clientHeight } = this.#box
    const below = scrollHeight - scrollTop - clientHeight
    const isNear = this.isWhole && below < NEAR
    if (isNear || scrollTop < Math.min(this.#top, this.#height - clientHeight - 1)) this.following = isNear
    this.#top = scrollTop
    this.#height = scrollHeight
    return below
  }

  // Among what is scrolled: where it is scrolled to meanwhile makes no difference.
  /** @param {HTMLElement} row */
  #placeOf(row) {
    return this.#topOf(row) + this.#box.scrollTop
  }

  /** @param {HTMLElement} row */
  #topOf(row) {
    return row.getBoundingClientRect().top - this.#box.getBoundingClientRect().top
  }

  // The first message in view that follows another, as one at an edge is drawn otherwise when more comes. By halves: rows
  // stand in order.
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
    const inView = [...rows].slice(low, low + SEARCHED).filter((row) => Number(row.dataset.m))
    return inView.find((row) => Number(/** @type {HTMLElement | null} */ (row.previousElementSibling)?.dataset.m)) ?? inView[0] ?? null
  }
}
