// Whatever happens to the line and the page: nothing is lost, nothing is doubled, and what is held is the truth.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Client } from '../state/client.js'
import { ModelServer } from './lib/model-server.mjs'
import { random } from './lib/random.mjs'

const RUNS = Number(process.env.RUNS ?? 60)
const STEPS = 300

class Run {
  now = 0
  nonces = 0
  /** nonces by room, in the order in which the user said them */
  said = { a: [], b: [] }
  /** by room, the last event that the user was told of */
  told = {}
  line = null

  constructor(seed) {
    this.random = random(seed)
    this.server = new ModelServer(this.random)
    this.begin()
  }

  begin(saved) {
    const config = { key: 'k', keepMessages: this.pick([8, 10_000]), pageLimit: 5 }
    this.client = new Client(config, saved, this.random)
    for (const room of ['a', 'b']) this.client.open(room, this.now)
  }

  below = (n) => Math.floor(this.random() * n)
  pick = (list) => list[this.below(list.length)]

  drain() {
    for (let output; (output = this.client.poll()); ) {
      if (output.connect) this.line = this.server.connect()
      else if (output.disconnect) this.cut()
      else if (output.write) this.line?.up.push(output.write)
      else this.heard(output)
      if (output.connect) this.client.connected(this.now)
    }
  }

  /** Each event is told once, and in order. */
  heard({ notice, room, seq, ...more }) {
    assert.ok(!['refused', 'failure', 'open_refused', 'page_refused'].includes(notice), JSON.stringify(more))
    if (notice === 'reset') this.told[room] = this.client.rooms.get(room)?.last
    if (notice === 'message' || notice === 'changed') assert.equal(seq, ++this.told[room], `told of ${room}`)
  }

  cut() {
    this.server.cut()
    this.line = null
    this.client.disconnected(this.pick([null, 1001, 1012]), this.now)
  }

  /** Whether something went over the line. */
  carry() {
    const { line } = this
    const ways = [line?.up.length && 'up', line?.down.length && 'down'].filter(Boolean)
    if (!ways.length) return false
    if (this.pick(ways) === 'up') this.server.take()
    else this.client.receive(line.down.shift(), this.now)
    this.drain()
    return true
  }

  step() {
    const { client, server, now } = this
    const room = this.pick(['a', 'b'])
    const held = client.rooms.get(room)
    const m = 1 + this.below(server.rooms.get(room).log.length + 1)
    const nonce = `n${this.nonces++}`
    const change = { m, op: this.pick(['edit', 'delete', 'react', 'unreact', 'pin', 'unpin']), text: nonce, emoji: this.pick(['👍', '🎉']) }
    const acts = {
      carry: [50, () => this.carry()],
      wait: [6, () => this.pass(this.below(2000))],
      sleep: [0.3, () => this.pass(3_600_000)],
      cut: [1.5, () => this.line && this.cut()],
      reload: [0.5, () => this.reload()],
      others: [10, () => (this.random() < 0.6 ? server.say(room, nonce) : server.alter(room, change), server.feed())],
      many: [0.3, () => { for (let i = 0; i < 20; i++) server.say(room, `${nonce}.${i}`); server.feed() }],
      send: [8, () => client.send({ room, nonce, text: nonce }, now) && this.said[room].push(nonce)],
      change: [3, () => client.change({ room, nonce, ...change }, now)],
      history: [3, () => client.history(room, { [this.pick(['before', 'after', 'around'])]: m }, 1 + this.below(6), now)],
      close: [0.3, () => client.close(room, now)],
      open: [2, () => client.open(room, now)],
      read: [1, () => client.read(room, held?.last ?? 0, now)],
    }
    let at = this.random() * Object.values(acts).reduce((sum, [weight]) => sum + weight, 0)
    for (const [weight, act] of Object.values(acts)) {
      if ((at -= weight) >= 0) continue
      act()
      break
    }
    this.drain()
    this.check()
  }

  pass(ms) {
    this.now += ms
    if (this.now >= this.client.deadline) this.client.timeout(this.now)
  }

  isPaused() {
    return this.client.pausedUntil > this.now || this.client.roomPausedUntil.size > 0
  }

  reload() {
    const saved = JSON.parse(JSON.stringify(this.client.saved(this.pick([3, 200]))))
    this.server.cut()
    this.line = null
    this.begin(saved)
  }

  /** What is held inside the ranges is all that there was at the cursor, each once. */
  check() {
    for (const room of this.client.rooms.values()) {
      const { log } = this.server.rooms.get(room.id)
      const isKnown = (seq) => room.ranges.some(({ low, high }) => low <= seq && seq <= high)
      const there = log.filter(({ t, seq }) => t === 'msg' && isKnown(seq)).map(({ seq }) => seq)
      const held = room.messages.map(({ m }) => m)
      assert.deepEqual(held.filter(isKnown), there, `${room.id} holds`)
      assert.deepEqual(held, [...new Set(held)].sort((a, b) => a - b))
    }
  }

  end() {
    this.server.forgets = false
    for (const room of ['a', 'b']) {
      this.client.open(room, this.now)
      this.server.say(room, 'the last word') // shows what was forgotten before it
    }
    this.server.feed()
    for (let quiet = 0; quiet < 5; ) {
      this.drain()
      if (this.carry() || this.server.flush()) quiet = 0
      else if (this.client.link === 'ready' && !this.isPaused()) quiet++
      else this.pass(Math.max(0, this.client.deadline - this.now))
    }
    this.check()
    const { client, server } = this
    assert.deepEqual(client.outbox, [])
    for (const [id, { log, messages }] of server.rooms) {
      const own = log.filter(({ t, by }) => t === 'msg' && by === 'u1').map(({ nonce }) => nonce)
      assert.deepEqual(own, this.said[id], 'what was said, once and in order')
      const { last, head, n, view } = client.rooms.get(id)
      assert.deepEqual([last, head, n], [log.length, log.length, messages.size])
      const comparable = ({ name, at, mentions, reactions, text, nonce, reply, ...message }) => ({ ...message, text: text ?? null, reactions: reactions.map((one) => [one.emoji ?? one[0], one.count ?? one[1], one.mine ?? one[2]]).sort() })
      for (const message of view.messages) assert.deepEqual(comparable(message), comparable(server.paged(messages.get(message.m))))
    }
  }
}

test(`${RUNS} users on bad lines`, () => {
  for (let seed = 1; seed <= RUNS; seed++) {
    try {
      const run = new Run(seed)
      for (let step = 0; step < STEPS; step++) run.step()
      run.end()
    } catch (error) {
      error.message = `run ${seed}: ${error.message}`
      throw error
    }
  }
})
