/** As much of a browser as `net/` needs, for tests without one. */
import { mock } from 'node:test'

/** Sets globals; `reset` undoes it. Time is the test's: `pass(ms)`. */
export function fakeBrowser() {
  mock.timers.enable({ apis: ['setTimeout', 'Date'] })
  let ticks = 0
  mock.method(performance, 'now', () => ticks)
  const page = new EventTarget()
  page.hidden = false
  const channels = new Set()
  const databases = new Map()
  const fakes = {
    addEventListener: page.addEventListener.bind(page),
    document: page,
    BroadcastChannel: class {
      constructor(name) {
        this.name = name
        channels.add(this)
      }
      postMessage(data) {
        for (const other of channels) {
          if (other !== this && other.name === this.name) queueMicrotask(() => channels.has(other) && other.onmessage({ data: structuredClone(data) }))
        }
      }
    },
    indexedDB: { open: (name) => later(() => (databases.get(name) ?? databases.set(name, database()).get(name)), true) },
  }
  const before = Object.fromEntries(Object.keys(fakes).map((name) => [name, Object.getOwnPropertyDescriptor(globalThis, name)]))
  for (const [name, value] of Object.entries(fakes)) Object.defineProperty(globalThis, name, { value, configurable: true, writable: true })
  return {
    page,
    channels,
    databases,
    event: (name) => page.dispatchEvent(new Event(name)),
    async pass(ms) {
      ticks += ms
      mock.timers.tick(ms)
      await rest()
    },
    reset() {
      mock.timers.reset()
      mock.restoreAll()
      for (const [name, was] of Object.entries(before)) was ? Object.defineProperty(globalThis, name, was) : delete globalThis[name]
    },
  }
}

/** What only waits for other promises is done. */
export async function rest() {
  for (let i = 0; i < 30; i++) await null
}

function database() {
  const stores = new Map()
  return {
    stores,
    createObjectStore: (name, { keyPath }) => stores.set(name, { keyPath, held: new Map() }),
    transaction: (name) => ({
      objectStore() {
        const { keyPath, held } = stores.get(name)
        return {
          getAll: () => later(() => [...held.values()].map((value) => structuredClone(value))),
          put: (value) => later(() => void held.set(value[keyPath], structuredClone(value))),
          delete: (key) => later(() => void held.delete(key)),
        }
      },
    }),
  }
}

function later(act, isNew) {
  const request = {}
  queueMicrotask(() => {
    request.result = act()
    if (isNew && !request.result.stores.size) request.onupgradeneeded()
    request.onsuccess()
  })
  return request
}
