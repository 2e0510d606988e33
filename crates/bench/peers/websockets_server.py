"""Python `websockets`, with the `broadcast` that its documentation recommends, and compression off.

`ip:port :: ` stands before each line, and the sender gets its own too.
"""

import asyncio

from websockets.asyncio.server import broadcast, serve

connections = set()


async def handler(connection):
    host, port = connection.remote_address[:2]
    prefix = f"{host}:{port} :: "
    connections.add(connection)
    try:
        async for text in connection:
            broadcast(connections, prefix + text)
    finally:
        connections.discard(connection)


async def main():
    async with serve(handler, "127.0.0.1", 0, compression=None) as server:
        port = server.sockets[0].getsockname()[1]
        print(f"websockets listening on http://127.0.0.1:{port}", flush=True)
        await server.serve_forever()


asyncio.run(main())
