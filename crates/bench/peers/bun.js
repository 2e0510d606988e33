// The broadcast of the table, as Bun's own documentation writes a chat: a topic for each room, everybody subscribed,
// published by the server, so that the sender gets its own line too. `ip:port :: ` stands before each line.
//
// `/ws?room=NAME` is a room of its own, `/json?room=NAME` one in which messages look as those of damso.v1.
// Arguments: `deflate` agrees to permessage-deflate, `tls CERTIFICATE KEY` makes it wss, `host ADDRESS` is another than 127.0.0.1; `faulty` loses and doubles
// some messages for one subscriber, so that one sees whether that is found.
const words = process.argv.slice(2);
const deflate = words.includes("deflate");
const tls = words.indexOf("tls") + 1;
const faulty = words.includes("faulty");
const host = words.includes("host") ? words[words.indexOf("host") + 1] : "127.0.0.1";
const heads = new Map();
let published = 0;

function publish(socket, line) {
  published += 1;
  // A socket's own publish leaves the socket out.
  if (faulty && published % 100 === 50) socket.publish(socket.data.room, line, deflate);
  else server.publish(socket.data.room, line, deflate);
  if (faulty && published % 100 === 0) socket.send(line, deflate);
}

function said(socket, text) {
  const { room, prefix } = socket.data;
  if (!socket.data.json) {
    publish(socket, prefix + text);
    return;
  }
  const { id, nonce, text: words } = JSON.parse(text);
  const seq = (heads.get(room) ?? 0) + 1;
  heads.set(room, seq);
  const at = Date.now();
  const message = { t: "msg", room, seq, n: seq, by: prefix, name: prefix, at, text: words, nonce };
  publish(socket, JSON.stringify(message));
  socket.send(JSON.stringify({ t: "ok", id, m: seq, at }));
}

const server = Bun.serve({
  hostname: host,
  port: 0,
  tls: tls ? { cert: Bun.file(words[tls]), key: Bun.file(words[tls + 1]) } : undefined,
  fetch(request, server) {
    const { address, port } = server.requestIP(request);
    const { pathname, searchParams } = new URL(request.url);
    const data = {
      json: pathname === "/json",
      room: searchParams.get("room") ?? "lobby",
      prefix: pathname === "/json" ? `u${port}` : `${address}:${port} :: `,
    };
    if (server.upgrade(request, { data })) return;
    return new Response("this is a WebSocket endpoint", { status: 426 });
  },
  websocket: {
    perMessageDeflate: deflate,
    open(socket) {
      socket.subscribe(socket.data.room);
    },
    message: said,
  },
});
console.log(`bun listening on ${tls ? "https" : "http"}://${host}:${server.port}`);
