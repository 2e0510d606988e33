import { tone } from '../lib/mark.js'
import { mark, together } from './lines.js'

const KEPT = 2000 // lines on the page at most
const TRIMMED = 1900 // lines left when the oldest go; in one go, as each moves the place of who reads above by a rounding
const NEAR = 40 // px from the end that still count as being there

/** The lines on the page. The only one that writes, trims and scrolls them. */
export class Log {
  #box
  #button
  #words
  #clock = new Intl.DateTimeFormat(undefined, { hour: 'numeric', minute: '2-digit' }) // the reader's own
  #turn = null
  #last = null
  #count = 0
  #unseen = 0
  #following = true
  #top = 0

  constructor(box, button, words) {
    this.#box = box
    this.#button = button
    this.#words = words
    box.addEventListener('scroll', () => this.#scrolled())
    button.addEventListener('click', () => this.follow())
    new ResizeObserver(() => this.#settle()).observe(box)
  }

  /** `line`: `{who, text, kind, at}`. */
  add(line) {
    if (!together(this.#last, line)) this.#box.append((this.#turn = this.#head(line)))
    this.#turn.append(element('p', 'line', line.text))
    this.#last = line
    if (++this.#count > KEPT) this.#trim()
    if (!this.#following) this.#tell(this.#unseen + 1)
    else requestAnimationFrame(() => this.#settle())
  }

  /** Back to the newest line, and stay there. */
  follow() {
    this.#following = true
    this.#settle()
  }

  #head({ who, kind, at }) {
    const turn = element('article', `turn ${kind}`)
    const badge = element('span', 'mark', kind === 'guest' ? mark(who) : '')
    badge.dataset.tone = tone(who)
    badge.ariaHidden = true
    const time = element('time', '', this.#clock.format(at))
    time.dateTime = new Date(at).toISOString()
    const head = element('p', 'head')
    head.append(element('bdi', 'who', who), ' ', time)
    turn.append(badge, head)
    return turn
  }

  #trim() {
    const before = this.#following ? 0 : this.#box.scrollHeight
    for (; this.#count > TRIMMED; this.#count--) {
      const oldest = this.#box.querySelector('.line')
      const turn = oldest.parentElement
      oldest.remove()
      if (!turn.querySelector('.line')) turn.remove()
    }
    if (!this.#following) this.#box.scrollTop -= before - this.#box.scrollHeight
  }

  #settle() {
    if (!this.#following) return
    this.#box.scrollTop = this.#box.scrollHeight
    this.#top = this.#box.scrollTop // as far as it went
    this.#tell(0)
  }

  // A line that arrives between a scroll and its event must not count as scrolled up: only going up is.
  #scrolled() {
    const { scrollTop, scrollHeight, clientHeight } = this.#box
    const near = scrollHeight - scrollTop - clientHeight < NEAR
    if (near) this.#tell(0)
    if (near || scrollTop < this.#top) this.#following = near
    this.#top = scrollTop
  }

  #tell(unseen) {
    this.#unseen = unseen
    this.#button.hidden = !unseen
    if (unseen) this.#button.textContent = this.#words.newer(unseen)
  }
}

function element(name, className, text = '') {
  const made = document.createElement(name)
  if (className) made.className = className
  made.textContent = text
  return made
}
