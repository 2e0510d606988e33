import assert from 'node:assert/strict'
import { afterEach, beforeEach, mock, test } from 'node:test'
import { Keeper } from '../net/keeper.js'
import { Session } from '../net/session.js'
import { Storage } from '../net/storage.js'
import { Client } from '../state/client.js'
import { fakeBrowser, rest } from './lib/browser-fakes.mjs'

let browser
beforeEach(() => void (browser = fakeBrowser()))
afterEach(() => browser.reset())

const WELCOME = { t: 'welcome', v: 1, epoch: 'e1', user: 'u1', name: '지우', rooms: [], limits: {}, features: [], ping: 25_000, server: 'test' }

/** A tab that has come up. */
async function tab() {
  const sockets = []
  const told = []
  const keeper = await opened()
  const client = new Client({ key: 'k' }, keeper.saved, () => 0.5)
  const connect = () => {
    const socket = { sent: [], send: (text) => socket.sent.push(JSON.parse(text)), close: () => (socket.isClosed = true) }
    sockets.push(socket)
    return socket
  }
  const session = new Session(client, { notice: (notice) => told.push(notice), change() {} }, keeper, connect)
  session.start()
  await rest()
  return {
    client,
    session,
    told,
    sockets,
    say: (nonce) => session.do((client, now) => client.send({ room: 'r', nonce, text: nonce }, now)),
    waits: () => client.outbox.map(({ nonce }) => nonce).join(''),
    sent: () => sockets.flatMap(({ sent }) => sent).filter(({ t }) => t === 'send').map(({ nonce }) => nonce).join(''),
    hear: (message) => sockets.at(-1).onmessage({ data: JSON.stringify(message) }),
    enter() {
      sockets.at(-1).onopen()
      this.hear(WELCOME)
    },
  }
}

async function opened() {
  const opening = Keeper.open('damso-test')
  await rest()
  return opening
}

const kept = () => [...(browser.databases.get('damso-test')?.stores.get('outbox').held.values() ?? [])]

/** The page is gone, without a word. */
const crash = () => {
  browser.channels.clear()
  mock.timers.reset()
  mock.timers.enable({ apis: ['setTimeout', 'Date'] })
}

test('it connects, comes back after a loss, and looks at once when the network is there again', async () => {
  const one = await tab()
  one.enter()
  const { sockets, client } = one
  assert.equal(client.link, 'ready')
  sockets[0].onclose({ code: 1006 })
  await browser.pass(374)
  assert.equal(sockets.length, 1)
  await browser.pass(1)
  assert.equal(sockets.length, 2)
  sockets[1].onclose({ code: 1006 })
  browser.event('online')
  assert.equal(sockets.length, 3)
  sockets[0].onclose({ code: 1006 }) // an old one has no say
  assert.equal(client.link, 'connecting')
})

test('a tab that was frozen leaves the dead line first, and doesn’t wait for its goodbye', async () => {
  const one = await tab()
  one.enter()
  mock.timers.setTime(3_600_000) // timers stood still, and so may `performance`
  browser.event('pageshow')
  assert.equal(one.sockets[0].isClosed, true)
  assert.equal(one.sockets.length, 2)
})

test('a clock that is set back stops nothing', async () => {
  const one = await tab()
  one.enter()
  one.sockets[0].onclose({ code: 1006 })
  const { now } = Date
  mock.method(Date, 'now', () => now() - 3_600_000)
  await browser.pass(400)
  assert.equal(one.sockets.length, 2)
})

test('what was said is kept until it is durable', async () => {
  const one = await tab()
  one.say('a')
  one.say('b')
  await rest()
  assert.deepEqual(kept().map(({ nonce, send }) => [nonce, send.text]), [['a', 'a'], ['b', 'b']])
  one.enter()
  one.hear({ t: 'ok', id: 2, m: 1, at: 1 })
  await rest()
  assert.deepEqual(kept().map(({ nonce }) => nonce), ['b'])
  assert.equal(one.sent(), 'ab')
})

test('after a crash the next page sends it, in order', async () => {
  const one = await tab()
  for (const nonce of ['z', 'y', 'x']) one.say(nonce)
  await rest()
  crash()
  const next = await tab()
  assert.deepEqual([next.waits(), next.sockets.length], ['zyx', 0]) // somebody else may live
  await browser.pass(200)
  next.enter()
  assert.equal(next.sent(), 'z')
  next.hear({ t: 'ok', id: 2, m: 1, at: 1 })
  assert.equal(next.sent(), 'zy')
})

test('what a living tab sends is shown by the others, and goes there when it is durable or taken back', async () => {
  const one = await tab()
  const two = await tab()
  one.say('a')
  one.say('b')
  await rest()
  assert.equal(two.waits(), 'ab')
  const three = await tab()
  await browser.pass(200)
  three.enter()
  assert.deepEqual([three.waits(), three.sent()], ['ab', ''])
  one.session.do((client) => client.withdraw('b'))
  one.enter()
  one.hear({ t: 'ok', id: 2, m: 1, at: 1 })
  await rest()
  assert.deepEqual([two.waits(), three.waits(), kept()], ['', '', []])
})

test('what is durable and only waits for its event is no other tab’s to show', async () => {
  const one = await tab()
  one.enter()
  one.session.do((client, now) => client.open('r', now))
  one.hear({ t: 'ok', id: 2, head: 1, n: 1, first: 1, mode: 'reset', messages: [] })
  one.say('a')
  one.hear({ t: 'ok', id: 3, m: 2, at: 2 })
  await rest()
  const two = await tab()
  await browser.pass(200)
  assert.deepEqual([one.waits(), two.waits()], ['a', ''])
})

test('what a tab had to say that is gone is sent by another', async () => {
  const one = await tab()
  one.say('a')
  await rest()
  const two = await tab()
  await browser.pass(200)
  two.enter()
  for (const channel of [...browser.channels].slice(0, 1)) browser.channels.delete(channel)
  await browser.pass(5000)
  await browser.pass(200)
  assert.equal(two.sent(), 'a')
})

test('a refusal is kept over a reload, until its author has taken note', async () => {
  const one = await tab()
  one.enter()
  one.say('a')
  one.hear({ t: 'err', id: 2, code: 'muted', msg: 'no' })
  await rest()
  crash()
  const two = await tab()
  await browser.pass(200)
  const told = ({ notice, code, entry }) => [notice, code, entry?.nonce]
  assert.deepEqual(two.told.map(told), [['refused', 'muted', 'a']])
  assert.equal(two.waits(), '')
  two.session.forget('a')
  await rest()
  assert.deepEqual(kept(), [])
})

test('a reload shows the last screen', async () => {
  const one = await tab()
  one.enter()
  one.hear({ t: 'room', room: 'r', what: 'join', entry: { id: 'r', head: 1, n: 1, read: 0, readn: 0, mentions: 0 } })
  one.session.do((client, now) => client.open('r', now))
  one.hear({ t: 'ok', id: 2, head: 1, n: 1, first: 1, mode: 'reset', messages: [{ m: 1, n: 1, rev: 1, by: 'u2', name: 'Ada', at: 1, text: '안녕' }] })
  await browser.pass(1000)
  crash()
  const two = await tab()
  two.session.do((client, now) => client.open('r', now))
  assert.deepEqual([two.client.name, [...two.client.list.keys()]], ['지우', ['r']])
  assert.deepEqual(two.client.rooms.get('r').view.messages.map(({ text }) => text), ['안녕'])
})

test('without a database and a channel everything goes on', async () => {
  browser.reset()
  browser = fakeBrowser()
  delete globalThis.indexedDB
  delete globalThis.BroadcastChannel
  assert.deepEqual(await new Storage('x').all('outbox'), [])
  const one = await tab()
  one.say('a')
  one.enter()
  assert.equal(one.sent(), 'a')
})
