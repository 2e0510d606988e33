// A whole damso.v1 client (../protocol.md): node client.mjs [URL [ROOM [NAME [KEYFILE]]]]; Node 20: npm i ws
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
const WebSocket = globalThis.WebSocket ?? (await import('ws')).WebSocket
const [url = 'ws://localhost:8765/ws', room = 'lobby', name = 'node', file = 'damso.key'] = process.argv.slice(2)
if (!existsSync(file)) writeFileSync(file, crypto.randomUUID() + crypto.randomUUID(), { mode: 0o600 })
let ws, epoch, last, live, sent, deaf, outbox = [], id = 0, wait = 500 // last: the seq up to which everything was shown

const show = ({ m, seq, op, name, text = '(deleted)' }) => // without control characters, which are orders to a terminal
  console.log(`#${m ?? seq} ${op ? `${op} by ` : ''}${name}: ${text}`.replace(/[\0-\x1f\x7f-\x9f]+/g, ' '))
const tell = (t, fields) => ws.send(JSON.stringify({ t, ...fields }))
const enter = () => tell('open', { id: ++id, room, after: last, max: 1_000_000 })
const send = (line, again) => { // one at a time, the oldest first, each under its nonce until accepted or refused
  if (line) outbox.push(line)
  if (live && outbox.length && sent === again) tell('send', { id: (sent = ++id), room, ...outbox[0] })
}
const hear = (f) => {
  clearTimeout(deaf); deaf = setTimeout(lost, 60_000, { msg: 'nothing was heard for a minute' })
  if (f.t === 'ping') tell('pong')
  else if (f.t === 'bye') wait = f.retry ?? wait
  else if (f.t === 'welcome') { if (f.epoch !== epoch) [epoch, last] = [f.epoch]; enter() } // a cursor is of one epoch
  else if (sent && f.id === sent) {
    if (f.retry) return setTimeout(send, f.retry, undefined, sent) // too fast
    if (f.t === 'err') console.error(`not sent: ${f.msg}: ${outbox[0].text}`)
    sent = void outbox.shift()
  } else if (f.t === 'err') return lost(f)
  else if (f.t === 'ok') { // to `open`: here is the newest page, or all that came after `last` follows
    if (last && f.gap) console.error(`not loaded: ${f.gap}`)
    f.messages?.forEach(show)
    live = true; wait = 500; if (f.mode === 'reset') last = f.head
  } else if (live && f.room === room && f.t !== 'seen' && f.seq === last + 1) {
    last = f.seq
    if (f.t === 'msg' || ['edit', 'delete'].includes(f.op)) show(f)
  } else if (live && f.room === room && f.t !== 'seen' && f.seq > last) live = enter() // a hole: open again
  send()
}
const lost = ({ code, reason, msg = reason, suggest = '' }) => {
  console.error('connection lost:', msg || code || 'no answer', suggest)
  if (code === 4001 || code === 4003) process.exit(1)
  const old = ws; ws = live = sent = undefined; old.close(); clearTimeout(deaf)
  setTimeout(connect, wait * (0.5 + Math.random() / 2)); wait = Math.min(30_000, 2 * wait)
}
const connect = () => {
  const here = (ws = new WebSocket(url, 'damso.v1'))
  here.onopen = () => tell('hello', { id: ++id, key: readFileSync(file, 'utf8'), name, agent: 'client.mjs', epoch })
  here.onmessage = ({ data }) => here === ws && hear(JSON.parse(data))
  here.onerror = here.onclose = (event) => here === ws && lost(event)
}
createInterface({ input: process.stdin }).on('line', (text) => send({ nonce: crypto.randomUUID(), text }))
connect()
