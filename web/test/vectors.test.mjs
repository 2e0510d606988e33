// Replays the scenarios of crates/client/vectors. Their README says what each step means.
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { Client } from '../state/client.js'

const folder = new URL('../../crates/client/vectors/', import.meta.url)
const names = readdirSync(folder).filter((name) => name.endsWith('.json'))

test('the scenarios are there', () => assert.ok(names.length >= 12, `only ${names.length}`))

for (const name of names) {
  test(name, () => {
    const scenario = JSON.parse(readFileSync(new URL(name, folder), 'utf8'))
    known(scenario, ['about', 'config', 'saved', 'random', 'steps'])
    const { config = {}, saved, random = 0.5, steps } = scenario
    known(config, ['key', 'name', 'replay_max', 'page_limit', 'keep_messages'])
    known(saved ?? {}, ['epoch', 'cursors', 'outbox'])
    const { key, name: called, replay_max: replayMax, page_limit: pageLimit, keep_messages: keepMessages = 10_000 } = config
    const settings = { key, name: called, agent: 'test', replayMax, pageLimit, keepMessages }
    const run = new Run(new Client(settings, saved, () => random))
    for (const [at, { now = run.now, ...step }] of steps.entries()) {
      run.now = now
      try {
        for (const [word, value] of Object.entries(step)) run.step(word, value)
      } catch (error) {
        error.message = `step ${at + 1}, ${JSON.stringify(step)}: ${error.message}`
        throw error
      }
    }
    assert.deepEqual([run.writes, run.connects, run.disconnects], [[], 0, 0], 'not expected')
  })
}

function known(object, fields) {
  for (const field of Object.keys(object)) assert.ok(fields.includes(field), `what is ${field}?`)
}

class Run {
  now = 0
  connects = 0
  disconnects = 0
  writes = []
  notices = []

  constructor(client) {
    this.client = client
  }

  step(word, value) {
    const { client, now } = this
    if (word === 'connected') client.connected(now)
    else if (word === 'disconnected') client.disconnected(value, now)
    else if (word === 'receive') client.receive(JSON.stringify(value), now)
    else if (word === 'receive_text') client.receive(value, now)
    else if (word === 'timeout') client.timeout(now)
    else if (word === 'online') client.wake(now)
    else if (word === 'do') this.command(...Object.entries(value)[0])
    else if (word === 'expect_connect') assert.equal(this.take('connects', 0), value ? 1 : 0)
    else if (word === 'expect_disconnect') assert.equal(this.take('disconnects', 0), value ? 1 : 0)
    else if (word === 'expect_write') assert.deepEqual(this.take('writes', []), value)
    else if (word === 'expect_notices') fits(value, this.take('notices', []))
    else if (word === 'expect_state') fits(value, state(client, now))
    else assert.fail(`no step is called ${word}`)
    this.drain()
  }

  command(word, { room, nonce, ...fields }) {
    const { client, now } = this
    if (word === 'open') client.open(room, now)
    else if (word === 'close') client.close(room, now)
    else if (word === 'send') assert.ok(client.send({ room, nonce, ...fields }, now))
    else if (word === 'change') assert.ok(client.change({ room, nonce, ...fields }, now))
    else if (word === 'read') client.read(room, fields.seq, now)
    else if (word === 'history') {
      const { limit, ...anchor } = fields
      client.history(room, anchor, limit, now)
    } else if (word === 'watch') client.watch(fields.users, now)
    else if (word === 'typing') client.typing(room, now)
    else if (word === 'rename') client.rename(fields.name, now)
    else if (word === 'withdraw') assert.ok(client.withdraw(nonce))
    else if (word === 'stop') client.stop()
    else assert.fail(`no command is called ${word}`)
  }

  drain() {
    for (let output; (output = this.client.poll()); ) {
      if (output.connect) this.connects++
      else if (output.disconnect) this.disconnects++
      else if (output.write) this.writes.push(JSON.parse(output.write))
      else this.notices.push(output)
    }
  }

  take(field, empty) {
    const taken = this[field]
    this[field] = empty
    return taken
  }
}

/** Whether everything that is expected is there: objects may have more fields, lists not. */
function fits(expected, found, path = '') {
  if (Array.isArray(expected)) {
    assert.equal(found?.length, expected.length, `${path}: ${JSON.stringify(found)}`)
    expected.forEach((value, at) => fits(value, found[at], `${path}[${at}]`))
  } else if (expected !== null && typeof expected === 'object') {
    assert.equal(typeof found, 'object', `${path} is ${JSON.stringify(found)}`)
    for (const [key, value] of Object.entries(expected)) fits(value, found?.[key], `${path}.${key}`)
  } else if (path.endsWith('.what') && expected === 'unknown') {
    // The browser's machine passes a word on that it doesn't know.
    assert.equal(typeof found, 'string')
  } else {
    assert.equal(found ?? null, expected, path)
  }
}

function state(client, now) {
  const { link, stopped, epoch, user, name, list, deadline } = client
  return {
    link,
    stopped,
    epoch,
    user,
    name,
    timeout: deadline === Infinity ? null : deadline,
    rooms: Object.fromEntries([...client.rooms].map(([id, held]) => [id, room(held, now)])),
    list: Object.fromEntries(list),
    outbox: client.outbox.map(({ inFlight, ...entry }) => ({ ...entry, in_flight: inFlight })),
    online: [...client.online].sort(),
    saved: client.saved(200),
  }
}

const room = (held, now) => ({
  ...held.view,
  last: held.last,
  ranges: held.ranges.map(({ low, high }) => [low, high]),
  typing: [...held.typing].filter(([, until]) => until > now).map(([user]) => user),
})
