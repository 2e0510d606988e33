/**
 * Copies what the page uses of npm's packages into `vendor/`, byte for byte, with their licences, and writes down where each file is from:
 * `npm ci && npm run vendor`. The versions are package.json's; npm has checked the packages against its own hashes.
 */
import { createHash } from 'node:crypto'
import { copyFile, mkdir, readFile, readdir, writeFile } from 'node:fs/promises'

const FILES = {
  'preact.js': 'preact/dist/preact.module.js',
  'preact-hooks.js': 'preact/hooks/dist/hooks.module.js',
  'signals-core.js': '@preact/signals-core/dist/signals-core.module.js',
  'signals.js': '@preact/signals/dist/signals.module.js',
  'htm.js': 'htm/dist/htm.module.js',
  'marked.js': 'marked/lib/marked.esm.js',
}

const here = new URL('..', import.meta.url)
const { packages } = JSON.parse(await readFile(new URL('package-lock.json', here)))
const lock = {}
const licences = new Map()
await mkdir(new URL('vendor/', here), { recursive: true })
for (const [name, path] of Object.entries(FILES)) {
  const from = new URL(`node_modules/${path}`, here)
  await copyFile(from, new URL(`vendor/${name}`, here))
  const [, owner] = /^((?:@[^/]+\/)?[^/]+)\//.exec(path)
  const { version, integrity, license } = packages[`node_modules/${owner}`]
  const sha512 = createHash('sha512').update(await readFile(from)).digest('base64')
  const folder = new URL(`node_modules/${owner}/`, here)
  const licence = (await readdir(folder)).find((file) => /^licen[cs]e/i.test(file))
  licences.set(owner, await readFile(new URL(licence, folder), 'utf8'))
  lock[name] = { package: owner, path: path.slice(owner.length + 1), version, license, integrity, sha512 }
}
await writeFile(new URL('vendor/lock.json', here), `${JSON.stringify(lock, null, 2)}\n`)
const texts = [...licences].map(([owner, text]) => `${owner} ${packages[`node_modules/${owner}`].version}\n\n${text.trim()}\n`)
await writeFile(new URL('vendor/LICENSES.txt', here), texts.join('\n----\n\n'))
