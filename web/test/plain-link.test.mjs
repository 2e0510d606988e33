import assert from 'node:assert/strict'
import { afterEach, beforeEach, mock, test } from 'node:test'
import { Link } from '../plain/link.js'

let sockets, lines, states

beforeEach(() => {
  mock.timers.enable({ apis: ['setTimeout', 'Date'] })
  sockets = []
  lines = []
  states = []
})
afterEach(() => mock.timers.reset())

function link() {
  const connect = () => {
    const socket = { sent: [], readyState: 1, send: (text) => socket.sent.push(text) }
    sockets.push(socket)
    return socket
  }
  return new Link(connect, { line: (text, first) => lines.push([text, first]), state: (state) => states.push(state) }, () => 1)
}

test('what is sent before the connection goes out when it opens, in order, once', () => {
  const line = link()
  line.send('하나')
  line.send('둘')
  assert.deepEqual(sockets[0].sent, [])
  sockets[0].onopen()
  line.send('셋')
  assert.deepEqual(sockets[0].sent, ['하나', '둘', '셋'])
  mock.timers.tick(60_000)
  assert.deepEqual(sockets[0].sent, ['하나', '둘', '셋'])
})

test('a long wait is sent at a pace the server takes, new lines behind it', () => {
  const line = link()
  for (let n = 0; n < 10; n++) line.send(`${n}`)
  sockets[0].onopen()
  line.send('new')
  assert.equal(sockets[0].sent.length, 8)
  mock.timers.tick(1200)
  assert.equal(sockets[0].sent.length, 9)
  mock.timers.tick(1200)
  mock.timers.tick(1200)
  assert.deepEqual(sockets[0].sent, ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'new'])
})

test('a loss in the middle of it loses and doubles nothing', () => {
  const line = link()
  for (let n = 0; n < 10; n++) line.send(`${n}`)
  sockets[0].onopen()
  sockets[0].onclose({ code: 1006 })
  mock.timers.tick(1200)
  assert.equal(sockets[0].sent.length, 8)
  sockets[1].onopen()
  assert.deepEqual(sockets[1].sent, ['8', '9'])
})

test('a closing connection is given nothing', () => {
  const line = link()
  sockets[0].onopen()
  sockets[0].readyState = 2
  line.send('하나')
  sockets[0].onclose({ code: 1001 })
  line.send('둘')
  mock.timers.tick(500)
  sockets[1].onopen()
  assert.deepEqual([sockets[0].sent, sockets[1].sent], [[], ['하나', '둘']])
})

test('comes back, later each time', () => {
  link()
  const at = []
  for (let n = 0; n < 9; n++) {
    const before = Date.now()
    sockets.at(-1).onclose({ code: 1006 })
    while (sockets.length < n + 2) mock.timers.tick(100)
    at.push(Date.now() - before)
  }
  assert.deepEqual(at, [500, 1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000])
})

test('only a connection that lasted starts the waits anew', () => {
  link()
  sockets[0].onclose({ code: 1006 })
  mock.timers.tick(500)
  sockets[1].onopen()
  sockets[1].onclose({ code: 1006 })
  mock.timers.tick(999)
  assert.equal(sockets.length, 2)
  mock.timers.tick(1)
  sockets[2].onopen()
  mock.timers.tick(5000)
  sockets[2].onclose({ code: 1006 })
  mock.timers.tick(500)
  assert.equal(sockets.length, 4)
})

test('a server that does not want us is asked seldom', () => {
  link()
  sockets[0].onopen()
  sockets[0].onclose({ code: 1008 })
  mock.timers.tick(29_999)
  assert.equal(sockets.length, 1)
  mock.timers.tick(1)
  assert.equal(sockets.length, 2)
})

test('waking ends the wait, and does nothing else', () => {
  const line = link()
  line.wake()
  assert.equal(sockets.length, 1)
  sockets[0].onclose({ code: 1006 })
  line.wake()
  assert.equal(sockets.length, 2)
  mock.timers.tick(60_000)
  assert.equal(sockets.length, 2)
})

test('refused until it was open once, lost after that', () => {
  link()
  sockets[0].onclose({ code: 1006 })
  mock.timers.tick(500)
  sockets[1].onopen()
  sockets[1].onclose({ code: 1006 })
  mock.timers.tick(1000)
  sockets[2].onclose({ code: 1006 })
  assert.deepEqual(states, ['refused', 'open', 'lost', 'lost'])
})

test('text arrives, the first of a connection is marked, binary is left', () => {
  link()
  sockets[0].onmessage({ data: 'a' })
  sockets[0].onmessage({ data: 'b' })
  sockets[0].onmessage({ data: new Uint8Array(3) })
  assert.deepEqual(lines, [['a', true], ['b', false]])
})
