const VERSION = 1
const PATIENCE = 2_000 // ms that the browser may take to open a database
const STORES = { outbox: 'nonce', rooms: 'id', meta: 'id' }

/** @typedef {keyof typeof STORES} Store */

/**
 * What is kept in IndexedDB. Without one (private windows, full disks) nothing is kept, and nothing fails: what is
 * written here is held in memory too.
 */
export class Storage {
  #name
  #db

  /** @param {string} name */
  constructor(name) {
    this.#name = name
    this.#db = this.#open()
  }

  /** @param {Store} store @returns {Promise<any[]>} */
  all(store) {
    return this.#do(store, 'readonly', (objects) => objects.getAll()).then((found) => found ?? [])
  }

  /** @param {Store} store @param {object} value */
  put(store, value) {
    return this.#do(store, 'readwrite', (objects) => objects.put(value))
  }

  /** @param {Store} store @param {string} key */
  drop(store, key) {
    return this.#do(store, 'readwrite', (objects) => objects.delete(key))
  }

  /**
   * @param {Store} store
   * @param {IDBTransactionMode} mode
   * @param {(objects: IDBObjectStore) => IDBRequest} act
   */
  async #do(store, mode, act) {
    const db = await this.#db
    try {
      // A crash of the page loses nothing; that of the machine might, and isn't worth a wait for the disk.
      return db && (await settled(act(db.transaction(store, mode, { durability: 'relaxed' }).objectStore(store))))
    } catch {
      return null
    }
  }

  /** @returns {Promise<IDBDatabase | null>} */
  #open() {
    return new Promise((resolve) => {
      setTimeout(() => resolve(null), PATIENCE)
      try {
        const request = indexedDB.open(this.#name, VERSION)
        request.onupgradeneeded = () => {
          for (const [store, keyPath] of Object.entries(STORES)) request.result.createObjectStore(store, { keyPath })
        }
        settled(request).then(
          (db) => {
            db.onclose = () => (this.#db = this.#open()) // the browser lost it
            // A newer page needs another shape of it: this one goes on in memory.
            db.onversionchange = () => db.close()
            resolve(db)
          },
          () => resolve(null),
        )
      } catch {
        resolve(null)
      }
    })
  }
}

/**
 * @template T
 * @param {IDBRequest<T>} request
 * @returns {Promise<T>}
 */
const settled = (request) =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error)
  })
