import { signal } from '@preact/signals'

/** @import { Api } from '../net/api.js' */

/**
 * A message that was found, as it stands now.
 * @typedef {{ room: string, m: number, at: number, by: string, name: string, text: string, marks: [number, number][] }} Hit
 */

const TYPING = 250 // ms without a letter, after which what is typed is looked for
const UNFINISHED = /(?:^|\s)(?:from|in|has|before|after):"?$/i // its value is about to be typed
const EMPTY_PAGES = 5 // looked at in a row; each stands for so many messages without a hit

/** What is searched for and found. It outlives the pane, so that going to a hit and coming back loses nothing. */
export class Search {
  query = signal('')
  /** the room that is searched, or '' for all */
  room = signal('')
  hits = signal(/** @type {Hit[]} */ ([]))
  /** where the next page begins, if there is one */
  more = signal('')
  partial = signal(false)
  /** `wrong`: the query can't be read */
  state = signal(/** @type {'idle' | 'searching' | 'done' | 'wrong' | 'failed'} */ ('idle'))

  #api
  #timer = 0
  #asking = new AbortController()

  /** @param {Pick<Api, 'search'>} api */
  constructor(api) {
    this.#api = api
  }

  /** The query as it is being typed. @param {string} query */
  type(query) {
    if (query === this.query.value) return
    this.query.value = query
    clearTimeout(this.#timer)
    if (UNFINISHED.test(query)) return
    this.#timer = setTimeout(() => this.run(), TYPING)
  }

  /** Searches now. */
  run() {
    clearTimeout(this.#timer)
    this.#asking.abort()
    if (this.query.value.trim()) return this.#ask('')
    this.#empty()
    this.state.value = 'idle'
  }

  #empty() {
    this.hits.value = []
    this.more.value = ''
  }

  /** The next page. */
  next() {
    if (this.more.value && this.state.value !== 'searching') return this.#ask(this.more.value)
  }

  /** @param {string} before */
  async #ask(before) {
    const { signal } = (this.#asking = new AbortController())
    this.state.value = 'searching'
    const goesOn = !!before
    try {
      let hits = goesOn ? this.hits.value : []
      const enough = hits.length + 1
      for (let page = 0; page < EMPTY_PAGES; page++) {
        const answer = await this.#api.search(this.#params(before), signal)
        if (signal.aborted) return
        hits = [...hits, ...answer.hits]
        before = answer.more ?? ''
        this.partial.value = !!answer.partial
        if (!before || hits.length >= enough) break
      }
      this.hits.value = hits
      this.more.value = before
      this.state.value = 'done'
    } catch (problem) {
      if (signal.aborted) return
      if (!goesOn) this.#empty() // what another query found is no answer to this one
      this.state.value = /** @type {any} */ (problem).code === 'bad_field' ? 'wrong' : 'failed'
    }
  }

  /** @param {string} before */
  #params(before) {
    /** @type {Record<string, string>} */
    const params = { q: this.query.value, tz: String(-new Date().getTimezoneOffset()) }
    if (this.room.value) params.room = this.room.value
    if (before) params.before = before
    return params
  }
}

/** @type {WeakMap<Pick<Api, 'search'>, Search>} */
const searches = new WeakMap()

/** The search of a page; there is one. @param {Pick<Api, 'search'>} api */
export function searchOf(api) {
  const search = searches.get(api) ?? new Search(api)
  searches.set(api, search)
  return search
}
