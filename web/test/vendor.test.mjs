import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFile, readdir } from 'node:fs/promises'
import { test } from 'node:test'

const read = (path) => readFile(new URL(`../${path}`, import.meta.url))

test('each vendored file is byte for byte what its package has', async () => {
  const lock = JSON.parse(await read('vendor/lock.json'))
  const { packages } = JSON.parse(await read('package-lock.json'))
  const names = (await readdir(new URL('../vendor', import.meta.url))).filter((name) => name.endsWith('.js'))
  assert.deepEqual(names.sort(), Object.keys(lock).sort())
  for (const [name, { package: owner, version, integrity, sha512 }] of Object.entries(lock)) {
    assert.equal(createHash('sha512').update(await read(`vendor/${name}`)).digest('base64'), sha512, name)
    const locked = packages[`node_modules/${owner}`]
    assert.deepEqual([locked.version, locked.integrity], [version, integrity], owner)
  }
})
