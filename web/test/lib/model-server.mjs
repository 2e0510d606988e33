/**
 * A server of damso.v1 as PROTOCOL section 4 has it, in memory and for one user, `u1`; others act by `say` and `alter`.
 * A line to it delivers in order, one message at a time, when the test says so, and may be cut. It has the bad habits
 * that a client must bear: it reads a page and answers later, wants a wait now and then, and forgets to tell an event.
 */
export class ModelServer {
  rooms = new Map(['a', 'b'].map((id) => [id, { log: [], messages: new Map() }]))
  forgets = true
  #done = new Map() // nonce → answer
  #random
  #line = null

  constructor(random) {
    this.#random = random
  }

  /** A new line: `up` is what was sent and hasn't arrived, `down` likewise. */
  connect() {
    return (this.#line = { up: [], down: [], open: new Map(), late: [] })
  }

  cut() {
    this.#line = null
  }

  /** Takes the next thing from the user. */
  take() {
    const { id, ...command } = JSON.parse(this.#line.up.shift())
    const answer = this[`on_${command.t}`](command)
    const message = answer && { t: answer.code ? 'err' : 'ok', ...(id && { id }), ...answer }
    if (command.t === 'history') this.#line.late.push(message)
    else if (message) this.#tell(message)
    if (this.#random() < 0.2) for (const page of this.#line.late.splice(0)) this.#tell(page)
    // What the command made comes before its answer or after it.
    this.feed()
  }

  /** Whether an answer was still to come. */
  flush() {
    const late = this.#line?.late.splice(0) ?? []
    for (const page of late) this.#tell(page)
    return late.length > 0
  }

  /** The log goes out to whoever has the room open. */
  feed() {
    for (const [room, sent] of this.#line?.open ?? []) {
      const { log } = this.rooms.get(room)
      for (const event of log.slice(sent)) if (!this.forgets || this.#random() > 0.01) this.#tell(event)
      this.#line.open.set(room, log.length)
    }
  }

  say(room, text, by = 'u2', more) {
    const { log, messages } = this.rooms.get(room)
    const [seq, n] = [log.length + 1, messages.size + 1]
    const said = { n, by, name: by, at: seq, text, ...more }
    log.push({ t: 'msg', room, seq, ...said })
    messages.set(seq, { m: seq, rev: seq, edited: false, deleted: false, pinned: false, ...said, who: new Map() })
    return seq
  }

  alter(room, { m, op, text, emoji, nonce }, by = 'u2') {
    const { log, messages } = this.rooms.get(room)
    const held = messages.get(m)
    if (!held || held.deleted) return null
    const who = held.who.get(emoji) ?? new Set()
    if (op === 'react' ? who.has(by) : op === 'unreact' && !who.has(by)) return undefined // it is so already
    const seq = log.length + 1
    log.push({ t: 'change', room, seq, m, op, by, name: by, at: seq, text, emoji, nonce })
    held.rev = seq
    if (op === 'edit') Object.assign(held, { text, edited: true })
    if (op === 'pin' || op === 'unpin') held.pinned = op === 'pin'
    if (op === 'react') held.who.set(emoji, who.add(by))
    if (op === 'unreact') who.delete(by)
    if (op !== 'delete') return seq
    Object.assign(held, { text: undefined, deleted: true, pinned: false, who: new Map() })
    for (const event of log) if (event.seq === m || (event.m === m && event.op === 'edit')) delete event.text
    return seq
  }

  /** A message as a page has it. */
  paged({ who, ...message }) {
    const reactions = [...who].filter(([, users]) => users.size).map(([emoji, users]) => [emoji, users.size, users.has('u1')])
    return { ...message, reactions }
  }

  on_hello() {
    const rooms = [...this.rooms].map(([id, { log, messages }]) => ({ id, name: id, kind: 'public', head: log.length, n: messages.size, read: 0, readn: 0, mentions: 0, notify: 'all', role: 'member', post: 'everybody' }))
    this.#tell({ t: 'welcome', v: 1, epoch: 'e', user: 'u1', name: 'u1', rooms, limits: {}, features: [], ping: 25_000, server: 'model' })
  }

  on_open({ room, after, limit = 5 }) {
    const { log, messages } = this.rooms.get(room)
    const [head, n, first] = [log.length, messages.size, 1]
    if (after !== undefined && head - after <= 12) {
      this.#line.open.set(room, after)
      return { head, n, first, mode: 'replay' }
    }
    this.#line.open.set(room, head)
    const newest = [...messages.values()].slice(-limit)
    return { head, n, first, mode: 'reset', messages: newest.map((held) => this.paged(held)) }
  }

  on_close({ room }) {
    this.#line.open.delete(room)
    return {}
  }

  on_send({ room, nonce, text, reply }) {
    if (this.#random() < 0.1) return { code: this.#random() < 0.5 ? 'rate_limited' : 'slow_mode', msg: 'wait', retry: 700 }
    const m = this.#once(nonce, () => this.say(room, text, 'u1', { nonce, reply }))
    if (this.#random() < 0.5) this.feed()
    return { m, at: m }
  }

  on_change({ room, ...change }) {
    const seq = this.#once(change.nonce, () => this.alter(room, change, 'u1'))
    if (this.#random() < 0.5) this.feed()
    return { seq: seq ?? undefined }
  }

  on_read() {
    return {}
  }

  on_history({ room, before, after, around, limit }) {
    const all = [...this.rooms.get(room).messages.values()]
    const at = (m) => all.filter((held) => held.m < m).length
    let [from, to] = [0, 0]
    if (before !== undefined) [from, to] = [Math.max(0, at(before) - limit), at(before)]
    else if (after !== undefined) [from, to] = [at(after + 1), at(after + 1) + limit]
    else [from, to] = [Math.max(0, at(around) - (limit >> 1)), at(around) + (limit >> 1) + 1]
    const more = before === undefined ? to < all.length : from > 0
    return { messages: all.slice(from, to).map((held) => this.paged(held)), asof: this.rooms.get(room).log.length, first: 1, more }
  }

  on_pong() {}

  #once(nonce, act) {
    if (!this.#done.has(nonce)) this.#done.set(nonce, act())
    return this.#done.get(nonce)
  }

  #tell(message) {
    this.#line.down.push(JSON.stringify(message))
  }
}
