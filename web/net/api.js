/** @import { Detail, Message, Problem } from '../types' */

/** The HTTP API, as somebody with a key. Each refusal is a `Problem`. */
export class Api {
  #key
  #fetch

  /** @param {string} key */
  constructor(key, fetch = globalThis.fetch.bind(globalThis)) {
    this.#key = key
    this.#fetch = fetch
  }

  rooms = () => this.#ask('GET', '/rooms')
  room = (/** @type {string} */ room) => /** @type {Promise<Detail>} */ (this.#ask('GET', at(room)))
  create = (/** @type {object} */ wanted) => /** @type {Promise<{ id: string }>} */ (this.#ask('POST', '/rooms', wanted))
  set = (/** @type {string} */ room, /** @type {object} */ wanted) => this.#ask('PATCH', at(room), wanted)
  admit = (/** @type {string} */ room, /** @type {string} */ user) => this.#ask('PUT', at(room, 'members', user))
  role = (/** @type {string} */ room, /** @type {string} */ user, /** @type {string} */ role) =>
    this.#ask('PATCH', at(room, 'members', user), { role })
  remove = (/** @type {string} */ room, /** @type {string} */ user) => this.#ask('DELETE', at(room, 'members', user))
  pins = (/** @type {string} */ room) => /** @type {Promise<{ messages: Message[] }>} */ (this.#ask('GET', at(room, 'pins')))
  hooks = (/** @type {string} */ room) => /** @type {Promise<{ hooks: { id: string, name: string }[] }>} */ (this.#ask('GET', at(room, 'hooks')))
  /** The URL is told this once. */
  hook = (/** @type {string} */ room, /** @type {string} */ name) =>
    /** @type {Promise<{ id: string, url: string }>} */ (this.#ask('POST', at(room, 'hooks'), { name }))
  unhook = (/** @type {string} */ room, /** @type {string} */ hook) => this.#ask('DELETE', at(room, 'hooks', hook))
  message = (/** @type {string} */ room, /** @type {number} */ m) =>
    /** @type {Promise<Message>} */ (this.#ask('GET', at(room, 'messages', m)))
  /** The first message at or after a time in ms, or the last one before it. */
  since = (/** @type {string} */ room, /** @type {number} */ ms) =>
    /** @type {Promise<{ messages: Message[] }>} */ (this.#ask('GET', `${at(room, 'messages')}?at=${ms}&limit=1`))
  search = (/** @type {Record<string, string>} */ query, /** @type {AbortSignal} */ signal) =>
    this.#ask('GET', `/search?${new URLSearchParams(query)}`, undefined, signal)
  /** A link for another device of the user's, and its QR code; `local` if others can't reach it. */
  link = () => /** @type {Promise<{ url: string, rows: string[], local?: boolean }>} */ (this.#ask('GET', '/me/link'))
  /** Deletes all that the user ever wrote. */
  erase = () => /** @type {Promise<{ messages: number }>} */ (this.#ask('DELETE', '/me/messages'))

  /**
   * @param {string} method
   * @param {string} path
   * @param {object} [body]
   * @param {AbortSignal} [signal]
   */
  async #ask(method, path, body, signal) {
    const headers = { authorization: `Bearer ${this.#key}`, ...(body && { 'content-type': 'application/json' }) }
    const answer = await this.#fetch(`/api/v1${path}`, { method, headers, body: body && JSON.stringify(body), signal })
    const said = answer.status === 204 ? undefined : await answer.json().catch(() => ({}))
    if (!answer.ok) throw Object.assign(new Error(said.detail ?? answer.statusText), { code: 'internal', detail: '' }, said)
    return said
  }
}

const at = (/** @type {string} */ room, /** @type {(string | number)[]} */ ...rest) =>
  ['/rooms', room, ...rest].map((part, i) => (i ? encodeURIComponent(part) : part)).join('/')
