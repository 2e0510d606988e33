/** What a first visit weighs, as the server gives them: `DAMSO_BIN=path/to/damso node --test test/browser/budget.mjs`. */
import assert from 'node:assert/strict'
import { get } from 'node:http'
import { after, before, test } from 'node:test'
import { startDamso } from '../lib/damso.mjs'

const KB = 1024
// KB of gzip at most. Of JavaScript the aim is 60, of which other people's is 27; it may become less, not more.
const FIRST = { html: 4, css: 12, js: 78 }
const REQUESTS = 12

let damso
const fetched = new Map()

before(async () => {
  damso = await startDamso()
})

after(() => damso?.stop())

/** The bytes on the wire of what lies at a path, and the text. */
const load = (path) =>
  new Promise((done, fail) => {
    get(damso.url + path, { headers: { 'accept-encoding': 'gzip' } }, (answer) => {
      let bytes = 0
      answer.on('data', (chunk) => (bytes += chunk.length))
      answer.on('end', () => done({ status: answer.statusCode, bytes, type: answer.headers['content-type'] }))
    }).on('error', fail)
  })

test('a first visit is small, and few requests', async () => {
  const page = await (await fetch(damso.url)).text()
  const paths = [...new Set([...page.matchAll(/(?:href|src)="(\/assets\/[^"]+)"/g)].map(([, path]) => path))]
  fetched.set('/', await load('/'))
  for (const path of paths) fetched.set(path, await load(path))
  const sum = (type) => [...fetched.values()].reduce((sum, file) => sum + (file.type.startsWith(type) ? file.bytes : 0), 0) / KB
  const sizes = { html: sum('text/html'), css: sum('text/css'), js: sum('text/javascript') }
  console.log(sizes)
  for (const [path, { status }] of fetched) assert.equal(status, 200, path)
  for (const [kind, most] of Object.entries(FIRST)) assert.ok(sizes[kind] <= most, `${kind}: ${sizes[kind].toFixed(1)} KB, and ${most} may be`)
  assert.ok(fetched.size <= REQUESTS, `${fetched.size} requests`)
})
