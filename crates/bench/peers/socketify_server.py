"""socketify (uWebSockets inside), as its documentation writes a chat: one topic, everybody subscribed, compression off.

Published by the server, so that the sender gets its own line too. uWebSockets doesn't tell the peer's port: `- :: `
stands before each line. The port to listen on is the first argument.
"""

import sys

from socketify import App, AppListenOptions, CompressOptions, OpCode

app = App()


def message(socket, text, opcode):
    app.publish("lobby", "- :: " + text, OpCode.TEXT)


app.ws(
    "/*",
    {
        "compression": CompressOptions.DISABLED,
        "max_payload_length": 1024 * 1024,
        "max_backpressure": 64 * 1024 * 1024,
        "open": lambda socket: socket.subscribe("lobby"),
        "message": message,
    },
)
app.listen(AppListenOptions(port=int(sys.argv[1]), host="127.0.0.1"), lambda _: None)
app.run()
