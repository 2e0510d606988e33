/** @import { Client } from '../state/client.js' */

/** Gives a `Client` a socket, a clock and the news of the network. */
export class Session {
  #socket = /** @type {WebSocket | null} */ (null)
  #timer = 0
  #now = 0
  #on

  /**
   * @param {Client} client
   * @param {{ notice(notice: any): void, change(): void }} on `change` after each thing that happened
   */
  constructor(client, on) {
    this.client = client
    this.#on = on
  }

  start() {
    addEventListener('online', () => this.do((client, now) => client.wake(now)))
    document.addEventListener('visibilitychange', () => document.hidden || this.do((client, now) => client.wake(now)))
    this.do((client, now) => client.timeout(now))
  }

  /**
   * A command or an input, and what comes of it.
   * @template T
   * @param {(client: Client, now: number) => T} act
   */
  do(act) {
    const result = act(this.client, this.#clock())
    for (let output; (output = this.client.poll()); ) {
      if (output.notice) this.#on.notice(output)
      if (output.write) this.#socket?.send(output.write)
      if (output.connect) this.#connect()
      if (output.disconnect) this.#socket?.close()
    }
    clearTimeout(this.#timer)
    const { deadline } = this.client
    if (deadline < Infinity) {
      const wait = Math.max(0, deadline - this.#clock())
      this.#timer = setTimeout(() => this.do((client, now) => client.timeout(now)), wait)
    }
    this.#on.change()
    return result
  }

  // Never back, as the machine wants it, and on over a machine's sleep.
  #clock() {
    return (this.#now = Math.max(this.#now, Date.now()))
  }

  #connect() {
    const socket = (this.#socket = new WebSocket(`${location.origin.replace(/^http/, 'ws')}/ws`, 'damso.v1'))
    socket.onopen = () => this.do((client, now) => client.connected(now))
    socket.onmessage = ({ data }) => typeof data === 'string' && this.do((client, now) => client.receive(data, now))
    socket.onclose = ({ code }) => {
      if (this.#socket === socket) this.#socket = null
      this.do((client, now) => client.disconnected(code === 1006 ? null : code, now))
    }
  }
}
