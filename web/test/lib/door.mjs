import { createServer } from 'node:http'
import { WebSocketServer } from 'ws'

const KEPT = ['content-type', 'content-security-policy']

/**
 * A door in front of a server: the page is the server's own, with its headers, and the WebSocket is ours, to look at
 * what a page sends, to say to it whatever we like, to keep it waiting and to turn it away.
 */
export async function openDoor(base) {
  const sockets = new WebSocketServer({ noServer: true })
  const held = []
  const server = createServer(async (request, response) => {
    const answer = await fetch(base + request.url)
    const headers = KEPT.filter((name) => answer.headers.has(name)).map((name) => [name, answer.headers.get(name)])
    response.writeHead(answer.status, Object.fromEntries(headers)).end(Buffer.from(await answer.arrayBuffer()))
  })
  const door = {
    /** `open`, `hold` (the handshake waits for `release`) or `refuse` */
    manner: 'open',
    received: [],
    codes: [],
    paths: [],
    protocols: [],
    say: (...lines) => lines.forEach((line) => sockets.clients.forEach((socket) => socket.send(line))),
    release: () => held.splice(0).forEach((accept) => accept()),
    /** Closes with a code, or cuts the line when there is none. */
    drop: (code) => sockets.clients.forEach((socket) => (code ? socket.close(code) : socket.terminate())),
    async close() {
      door.drop()
      server.closeAllConnections()
      await new Promise((done) => server.close(done))
    },
  }
  server.on('upgrade', (request, socket, head) => {
    door.paths.push(request.url)
    door.protocols.push(request.headers['sec-websocket-protocol'])
    const accept = () =>
      sockets.handleUpgrade(request, socket, head, (client) => {
        client.on('message', (data) => door.received.push(String(data)))
        client.on('close', (code) => door.codes.push(code))
      })
    if (door.manner === 'refuse') socket.end('HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n')
    else if (door.manner === 'hold') held.push(accept)
    else accept()
  })
  await new Promise((done) => server.listen(0, '127.0.0.1', done))
  door.url = `http://127.0.0.1:${server.address().port}`
  return door
}
