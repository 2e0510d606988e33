import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Client } from '../state/client.js'

const msg = (seq, more) => ({ t: 'msg', room: 'r', seq, n: seq, by: 'u2', name: 'Ada', at: seq, text: `${seq}`, ...more })
const paged = (m, more) => ({ m, n: m, rev: m, by: 'u2', name: 'Ada', at: m, text: `${m}`, ...more })
const welcome = (more) => ({ t: 'welcome', v: 1, epoch: 'e1', user: 'u1', name: '지우', rooms: [], limits: {}, features: [], ping: 25_000, server: 'test', ...more })

/** A client with its socket's other end. */
function talk(saved, config) {
  const client = new Client({ key: 'k', ...config }, saved && JSON.parse(JSON.stringify(saved)))
  const line = {
    client,
    written: [],
    notices: [],
    drain() {
      for (let output; (output = client.poll()); ) {
        if (output.write) line.written.push(JSON.parse(output.write))
        else if (output.notice) line.notices.push(output)
      }
    },
    hear(...messages) {
      for (const message of messages) client.receive(JSON.stringify(message), 0)
      line.drain()
    },
    enter(more) {
      client.timeout(client.deadline)
      client.connected(0)
      line.hear(welcome(more))
      return line.wrote()
    },
    wrote() {
      line.drain()
      return line.written.splice(0)
    },
  }
  return line
}

/** Somebody who has read up to 4, of which 2 was edited. */
function before() {
  const line = talk()
  line.enter()
  line.client.open('r', 0)
  line.hear({ t: 'ok', id: 2, head: 3, n: 3, first: 1, mode: 'reset', messages: [paged(2), paged(3)] })
  line.hear({ t: 'change', room: 'r', seq: 4, m: 2, op: 'edit', by: 'u2', name: 'Ada', at: 4, text: '둘' }, msg(5, { n: 4 }))
  return line.client.saved(200)
}

test('a reload shows the last screen at once, and asks for the difference', () => {
  const line = talk(before())
  assert.deepEqual([line.client.user, line.client.name], ['u1', '지우'])
  line.client.open('r', 0)
  const room = line.client.rooms.get('r')
  assert.deepEqual(room.view.messages.map(({ text }) => text), ['둘', '3', '5'])
  assert.deepEqual([room.last, room.n, room.open, room.ranges], [5, 4, false, [{ low: 2, high: 5 }]])
  const sent = line.enter()
  assert.deepEqual(sent.map(({ t, epoch, after }) => [t, epoch ?? after]), [['hello', 'e1'], ['open', 5]])
  line.hear({ t: 'ok', id: 2, head: 6, n: 5, first: 1, mode: 'replay' }, msg(6, { n: 5 }))
  assert.deepEqual(room.view.messages.map(({ m }) => m), [2, 3, 5, 6])
  assert.deepEqual(room.ranges, [{ low: 2, high: 6 }])
})

test('a screen of another store or another user is forgotten', () => {
  for (const other of [{ epoch: 'e2' }, { user: 'u9' }]) {
    const line = talk(before())
    line.client.open('r', 0)
    assert.equal(line.enter(other)[1].after, undefined)
    assert.deepEqual(line.client.rooms.get('r').view.messages, [])
    // So is that of a room which is opened later.
    const late = talk(before())
    late.enter(other)
    late.client.open('r', 0)
    assert.equal(late.wrote()[0].after, undefined)
  }
})

test('a reset takes the place of the last screen', () => {
  const line = talk(before())
  line.client.open('r', 0)
  line.enter()
  line.hear({ t: 'ok', id: 2, head: 900, n: 800, first: 1, mode: 'reset', messages: [paged(900)], gap: [6, 900] })
  const { view } = line.client.rooms.get('r')
  assert.deepEqual(view.messages.map(({ m }) => m), [900])
  assert.deepEqual(view.ranges, [{ low: 900, high: 900 }])
})

test('of each room the newest messages of the last range are written down', () => {
  const line = talk()
  line.enter()
  line.client.open('r', 0)
  line.hear({ t: 'ok', id: 2, head: 50, n: 50, first: 1, mode: 'reset', messages: [48, 49, 50].map((m) => paged(m)) })
  line.client.history('r', { around: 10 }, 3, 0)
  line.hear({ t: 'ok', id: 3, asof: 50, first: 1, more: true, messages: [9, 10, 11].map((m) => paged(m)) })
  const { r } = line.client.saved(200).rooms
  assert.deepEqual([r.messages.map(({ m }) => m), r.ranges], [[48, 49, 50], [{ low: 48, high: 50 }]])
  const less = line.client.saved(2).rooms.r
  assert.deepEqual([less.messages.map(({ m }) => m), less.ranges], [[49, 50], [{ low: 49, high: 50 }]])
})

test('a view is another object after each change, and the same one until then', () => {
  const line = talk(before())
  line.client.open('r', 0)
  const room = line.client.rooms.get('r')
  const { view } = room
  assert.equal(room.view, view)
  line.enter()
  line.hear({ t: 'ok', id: 2, head: 5, n: 4, first: 1, mode: 'replay' })
  assert.equal(room.view.open, true)
  const message = room.message(3)
  line.hear({ t: 'change', room: 'r', seq: 6, m: 3, op: 'react', by: 'u1', name: '지우', at: 6, emoji: '👍' })
  assert.deepEqual(view.messages[1], message)
  assert.deepEqual(room.view.messages[1].reactions, [{ emoji: '👍', count: 1, mine: true, who: ['u1'] }])
  assert.deepEqual(message.reactions, [])
})

test('who typed and went away is seen to do so', () => {
  const line = talk(before())
  line.client.open('r', 0)
  line.enter()
  line.hear({ t: 'ok', id: 2, head: 5, n: 4, first: 1, mode: 'replay' }, { t: 'typing', room: 'r', user: 'u2' })
  assert.equal(line.client.deadline, 6000)
  line.client.timeout(6000)
  assert.deepEqual([...line.client.rooms.get('r').typing], [])
  assert.equal(line.client.deadline, 60_000)
})

test('10,000 messages held cost an event no more than ten', () => {
  const line = talk()
  line.enter()
  line.client.open('r', 0)
  line.hear({ t: 'ok', id: 2, head: 0, n: 0, first: 1, mode: 'reset', messages: [] })
  const { client } = line
  const texts = Array.from({ length: 30_000 }, (_, i) => JSON.stringify(msg(i + 1)))
  const start = process.cpuUsage()
  for (const text of texts) {
    client.receive(text, 0)
    while (client.poll());
  }
  const each = process.cpuUsage(start).user / texts.length // µs: others may be busy too
  const { messages } = client.rooms.get('r')
  assert.ok(messages.length >= 10_000 && messages.length < 11_000, `${messages.length}`)
  assert.ok(each < 100, `${each} µs`)
})

test('what another tab sends is shown here, goes as it goes there, and is sent by us when that tab is gone', () => {
  const line = talk({ outbox: [{ room: 'r', nonce: 'a', send: { text: '하나' }, elsewhere: true }] })
  line.enter()
  line.client.open('r', 0)
  line.hear({ t: 'ok', id: 2, head: 0, n: 0, first: 1, mode: 'reset', messages: [] })
  for (const nonce of ['a', 'b', 'c', 'd']) line.client.shadow({ room: 'r', nonce, send: { text: nonce } })
  const waiting = () => line.client.outbox.map(({ nonce }) => nonce).join('')
  assert.deepEqual([line.wrote().filter(({ t }) => t === 'send'), waiting()], [[], 'abcd'])
  assert.equal(line.client.withdraw('a'), null)
  line.client.gone('b', 1) // durable: shown from here until the event comes
  assert.equal(waiting(), 'abcd')
  line.hear(msg(1, { by: 'u1', nonce: 'b' }))
  line.client.gone('c') // taken back there
  assert.equal(waiting(), 'ad')
  line.client.adopt((nonce) => nonce === 'a', 0)
  assert.deepEqual(line.wrote().map(({ t, nonce }) => [t, nonce]), [['send', 'a']])
  line.client.gone('a') // what we send is ours
  assert.equal(waiting(), 'ad')
})
