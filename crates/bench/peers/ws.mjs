// `ws` on Node, as its own documentation writes a server broadcast. `ip:port :: ` stands before each line, and the
// sender gets its own too. Compression is off by default; bufferutil, which it recommends, is installed beside it.
import WebSocket, { WebSocketServer } from "ws";

const server = new WebSocketServer({ host: "127.0.0.1", port: 0 });
server.on("connection", (socket, request) => {
  const { remoteAddress, remotePort } = request.socket;
  const prefix = `${remoteAddress}:${remotePort} :: `;
  socket.on("message", (text) => {
    const line = Buffer.from(prefix + text);
    for (const client of server.clients) {
      if (client.readyState === WebSocket.OPEN) client.send(line, { binary: false });
    }
  });
});
server.on("listening", () => {
  console.log(`ws listening on http://127.0.0.1:${server.address().port}`);
});
