import { connect, createServer } from 'node:net'
import { HOST } from './host.mjs'

/** A network between a browser and a server: it can be cut, be deaf for a while, or be slow. */
export async function proxy(url) {
  const { hostname, port } = new URL(url)
  const pairs = new Set()
  const line = {
    /** `open`; `hold`: nothing passes, and nobody is told; `cut`: nobody is let in */
    manner: 'open',
    /** ms that everything takes in each direction */
    slow: 0,
    /** Cuts what is open, and lets nobody in before `open`. */
    cut() {
      line.manner = 'cut'
      for (const pair of pairs) pair.forEach((socket) => socket.destroy())
    },
    /** A line that is dead without a word: bytes wait at both ends. */
    hold() {
      line.manner = 'hold'
      for (const pair of pairs) pair.forEach((socket) => socket.pause())
    },
    open() {
      line.manner = 'open'
      for (const pair of pairs) pair.forEach((socket) => socket.resume())
    },
    async close() {
      line.cut()
      await new Promise((done) => server.close(done))
    },
  }
  const server = createServer((near) => {
    if (line.manner === 'cut') return near.destroy()
    const far = connect(port, hostname)
    const pair = [near, far]
    pairs.add(pair)
    for (const [from, to] of [pair, [far, near]]) {
      from.setNoDelay()
      from.on('data', (bytes) => (line.slow ? setTimeout(() => to.writable && to.write(bytes), line.slow) : to.write(bytes)))
      from.on('end', () => setTimeout(() => to.end(), line.slow))
      from.on('error', () => to.destroy())
      from.on('close', () => {
        pairs.delete(pair)
        if (!to.writableEnded) to.destroy()
      })
      if (line.manner === 'hold') from.pause()
    }
  })
  await new Promise((done) => server.listen(0, HOST, done))
  line.url = `http://${HOST}:${server.address().port}`
  return line
}
