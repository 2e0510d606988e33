import { randomBytes } from 'node:crypto'
import WebSocket from 'ws'

const WINDOW = 16 // commands that may be unanswered

/** Somebody who talks by the wire: many messages in a moment, reactions, rooms. The server's limits must be lifted. */
export async function bot(url, name, key = randomBytes(16).toString('base64url')) {
  const socket = new WebSocket(`${url.replace(/^http/, 'ws')}/ws`, 'damso.v1')
  const waiting = new Map()
  const me = { name, key, heard: [] }
  let id = 0
  socket.on('message', (data) => {
    const frame = JSON.parse(data)
    if (frame.t === 'ping') socket.send('{"t":"pong"}')
    const answer = frame.t === 'welcome' ? waiting.get(1) : ['ok', 'err'].includes(frame.t) && waiting.get(frame.id)
    if (!answer) return me.heard.push(frame)
    waiting.delete(frame.id ?? 1)
    frame.t === 'err' ? answer.fail(new Error(`${frame.code}: ${frame.msg}`)) : answer.done(frame)
  })
  const ask = (command) =>
    new Promise((done, fail) => {
      waiting.set(++id, { done, fail })
      socket.send(JSON.stringify({ id, ...command }))
    })
  await new Promise((done, fail) => socket.once('open', done).once('error', fail))
  me.welcome = await ask({ t: 'hello', key, name, agent: 'bot' })
  me.user = me.welcome.user
  const nonce = () => randomBytes(8).toString('hex')
  return Object.assign(me, {
    ask,
    open: (room = 'lobby', after) => ask({ t: 'open', room, ...(after != null && { after }) }),
    /** → the message's `m` */
    say: async (text, { room = 'lobby', reply } = {}) => (await ask({ t: 'send', room, nonce: nonce(), text, reply })).m,
    /** Says `texts` as fast as they are taken. → their `m`s */
    async many(texts, room = 'lobby') {
      const said = []
      for (let i = 0; i < texts.length; i += WINDOW) {
        said.push(...(await Promise.all(texts.slice(i, i + WINDOW).map((text) => me.say(text, { room })))))
      }
      return said
    },
    change: (m, op, more = {}, room = 'lobby') => ask({ t: 'change', room, m, op, nonce: nonce(), ...more }),
    react: (m, emoji, room) => me.change(m, 'react', { emoji }, room),
    /** The HTTP API. */
    async api(method, path, body) {
      const headers = { authorization: `Bearer ${key}`, ...(body && { 'content-type': 'application/json' }) }
      const answer = await fetch(`${url}/api/v1${path}`, { method, headers, body: body && JSON.stringify(body) })
      const said = answer.status === 204 ? undefined : await answer.json()
      if (!answer.ok) throw Object.assign(new Error(`${method} ${path}: ${said.detail}`), said)
      return said
    },
    /** Makes a room. → its id */
    room: async (name, more = {}) => (await me.api('POST', '/rooms', { kind: 'public', name, ...more })).id,
    close: () => socket.close(),
  })
}
