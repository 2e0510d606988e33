/** @import { Client } from '../state/client.js' */
/** @import { Notice } from '../types' */

/** Gives a `Client` a socket, a clock, and the news of the network. */
export class Session {
  #on
  #keeper
  #connect
  #socket = /** @type {WebSocket | null} */ (null)
  #isStarted = false
  #timer = 0
  #timerAt = Infinity
  #now = 0
  #ticks = [performance.now(), Date.now()]

  /**
   * @param {Client} client
   * @param {{ notice(notice: Notice): void, change(): void }} on `change` after each thing that happened
   * @param {import('./keeper.js').Keeper} [keeper]
   * @param {() => WebSocket} [connect]
   */
  constructor(client, on, keeper, connect = () => new WebSocket(`${location.origin.replace(/^http/, 'ws')}/ws`, 'damso.v1')) {
    this.client = client
    this.#on = on
    this.#keeper = keeper
    this.#connect = connect
  }

  async start() {
    // A tab that was frozen finds out first whether its connection is too old to be one.
    const look = () => {
      this.do((client, now) => client.timeout(now))
      this.do((client, now) => client.wake(now))
    }
    await this.#keeper?.start(this)
    this.#isStarted = true
    addEventListener('online', look)
    addEventListener('pageshow', look)
    document.addEventListener('visibilitychange', () => document.hidden || look())
    look()
  }

  /**
   * A command or an input, and what comes of it.
   * @template T
   * @param {(client: Client, now: number) => T} act
   */
  do(act) {
    const { client } = this
    const result = act(client, this.#clock())
    for (let output; (output = client.poll()); ) {
      if (output.write) this.#socket?.send(output.write)
      else if (output.connect) this.#open()
      else if (output.disconnect) this.#close()
      else this.tell(/** @type {Notice} */ (output))
    }
    this.#keeper?.sync(client)
    const { deadline } = client
    if (this.#isStarted && deadline < this.#timerAt) this.#arm(deadline)
    this.#on.change()
    return result
  }

  /** @param {Notice} notice */
  tell(notice) {
    this.#keeper?.heard(notice)
    this.#on.notice(notice)
  }

  /** The user has taken note of a refusal. @param {string} nonce */
  forget(nonce) {
    this.#keeper?.forget(nonce)
  }

  // A timer that rings too early is set anew: most deadlines only move further away.
  #arm(/** @type {number} */ at) {
    clearTimeout(this.#timer)
    this.#timerAt = at
    const ring = () => {
      this.#timerAt = Infinity
      this.do((client, now) => client.timeout(now))
    }
    if (at < Infinity) this.#timer = setTimeout(ring, Math.max(0, at - this.#clock()))
  }

  // Over a sleep, which `performance` may not count, and never back, as somebody's setting of the clock is.
  #clock() {
    const ticks = [performance.now(), Date.now()]
    this.#now += Math.max(0, ticks[0] - this.#ticks[0], ticks[1] - this.#ticks[1])
    this.#ticks = ticks
    return this.#now
  }

  #open() {
    const socket = (this.#socket = this.#connect())
    const current = (/** @type {(client: Client, now: number) => void} */ act) => {
      if (this.#socket === socket) this.do(act)
    }
    socket.onopen = () => current((client, now) => client.connected(now))
    socket.onmessage = ({ data }) => typeof data === 'string' && current((client, now) => client.receive(data, now))
    socket.onclose = ({ code }) =>
      current((client, now) => {
        this.#socket = null
        client.disconnected(code === 1006 ? null : code, now)
      })
  }

  // A dead line never says that it is closed.
  #close() {
    const socket = this.#socket
    this.#socket = null
    socket?.close()
    this.client.disconnected(null, this.#clock())
  }
}
