import { backoff } from '../lib/backoff.js'

const BURST = 8 // waiting lines sent at once; the server takes 10
const PACE = 1200 // ms between the others; the server takes one a second
const STEADY = 5000 // ms: a connection that lasted this long starts the backoff anew
const OPEN = 1 // WebSocket.OPEN
const POLICY = 1008 // the close code of a server that doesn't want us now
const PATIENT = 6 // the try from which backoff is at its longest

/**
 * The line to the server: sends what was typed in order and once, keeps it while there is no connection, comes back
 * after a loss. The plain dialect has no receipts, so a line handed to a dying socket may be lost; it is never doubled.
 */
export class Link {
  #connect
  #on
  #random
  #socket
  #open = false
  #state = 'refused'
  #waiting = []
  #tries = 0
  #retry
  #pace

  /**
   * `connect()` makes a WebSocket. `on.line(text, first)` gets each line, `first` for the first one of a connection;
   * `on.state(state)` is told `open`, `refused` (never connected so far) or `lost`.
   */
  constructor(connect, on, random = Math.random) {
    this.#connect = connect
    this.#on = on
    this.#random = random
    this.#start()
  }

  send(text) {
    this.#waiting.push(text)
    if (this.#open && this.#waiting.length === 1) this.#drain(1)
  }

  /** Something suggests that the network is there (again): don't sit out the wait. */
  wake() {
    if (this.#socket) return
    clearTimeout(this.#retry)
    this.#start()
  }

  #start() {
    const socket = (this.#socket = this.#connect())
    let openedAt = Infinity
    let first = true
    socket.onopen = () => {
      openedAt = Date.now()
      this.#open = true
      this.#state = 'lost'
      this.#on.state('open')
      this.#drain(BURST)
    }
    socket.onmessage = ({ data }) => {
      if (typeof data === 'string') this.#on.line(data, first)
      first = false
    }
    socket.onclose = ({ code }) => {
      if (Date.now() - openedAt >= STEADY) this.#tries = 0
      if (code === POLICY) this.#tries = Math.max(this.#tries, PATIENT)
      this.#open = false
      this.#socket = null
      clearTimeout(this.#pace)
      this.#retry = setTimeout(() => this.#start(), backoff(this.#tries++, this.#random()))
      this.#on.state(this.#state)
    }
  }

  #drain(count) {
    const socket = this.#socket // a closing one takes what it is given and drops it
    for (; count > 0 && this.#waiting.length && socket.readyState === OPEN; count--) socket.send(this.#waiting.shift())
    if (this.#waiting.length) this.#pace = setTimeout(() => this.#drain(1), PACE)
  }
}
