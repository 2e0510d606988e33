// The broadcast of the table, as Bun's own documentation writes a chat: one topic, everybody subscribed,
// published by the server, so that the sender gets its own line too. `ip:port :: ` stands before each line.
const server = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  fetch(request, server) {
    const { address, port } = server.requestIP(request);
    if (server.upgrade(request, { data: { prefix: `${address}:${port} :: ` } })) return;
    return new Response("this is a WebSocket endpoint", { status: 426 });
  },
  websocket: {
    perMessageDeflate: false,
    open(socket) {
      socket.subscribe("lobby");
    },
    message(socket, text) {
      server.publish("lobby", socket.data.prefix + text);
    },
  },
});
console.log(`bun listening on http://127.0.0.1:${server.port}`);
