"""Runs schemathesis against the HTTP API of a damso whose rates are lifted.

    python examine.py URL FOLDER

The same seed every time, so that what it finds once it finds again.
"""

import json
import os
import pathlib
import secrets
import socket
import subprocess
import sys
import urllib.parse
import urllib.request

KEY = "examined-" + secrets.token_hex(16)
# For each of the some 20 operations.
EXAMPLES = 60
# The most that all of it may take, in seconds; some 30 do on two idle cores.
BUDGET = 240

# Names obey rules that JSON Schema has no words for, so a valid one may be refused. Half of what
# requests are about is there; the other half is made up.
CONFIG = """
seed = 1
warnings = false
continue-on-failure = true
suppress-health-check = ["all"]

[headers]
Authorization = "Bearer {key}"

[generation]
max-examples = {examples}
database = "none"

[phases]
stateful.enabled = false

[checks]
positive_data_acceptance.enabled = false
negative_data_rejection.expected-statuses = [400, 401, 403, 404, 409, 410, 413]

[dictionaries]
{dictionaries}

[parameters]
{parameters}
"""


def say_hello(host, key, name):
    """A guest is one from its first hello on, over a WebSocket: one frame says it."""
    server = urllib.parse.urlsplit(f"http://{host}")
    with socket.create_connection((server.hostname, server.port), timeout=20) as door:
        door.sendall(
            f"GET /ws HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            "Sec-WebSocket-Protocol: damso.v1\r\n\r\n".encode()
        )
        hello = json.dumps({"t": "hello", "id": 1, "key": key, "name": name, "agent": "examine"})
        mask = os.urandom(4)
        payload = bytes(byte ^ mask[at % 4] for at, byte in enumerate(hello.encode()))
        assert len(payload) < 126, "its length is written in one byte"
        door.sendall(bytes([0x81, 0x80 | len(payload)]) + mask + payload)
        heard = b""
        while b'"t":"welcome"' not in heard:
            more = door.recv(4096)
            if not more:
                sys.exit(f"examine: no welcome, but {heard!r}")
            heard += more


def ask(base, method, path, body):
    """Does something, and returns what was answered."""
    request = urllib.request.Request(base + path, json.dumps(body).encode(), method=method)
    request.add_header("Authorization", f"Bearer {KEY}")
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.loads(answer.read() or "null")


def furnish(base):
    """Makes what requests can be about; by parameter, its names. Whoever is removed, and whatever is
    revoked, is somebody and something else than what asks."""
    rooms = ["lobby"]
    for kind in ("public", "private", "announcement"):
        rooms.append(ask(base, "POST", "/rooms", {"kind": kind, "name": f"{kind} room"})["id"])
    messages = []
    for room in rooms:
        for number in range(40):
            body = {"nonce": f"{room}-{number}", "text": f"message {number} @examiner"}
            messages.append(ask(base, "POST", f"/rooms/{room}/messages", body)["m"])
    hook = lambda room: ask(base, "POST", f"/rooms/{room}/hooks", {"name": "ci"})
    hooks, others = ([hook(room) for room in rooms[1:]] for _ in range(2))
    return {
        "room": rooms,
        "user": ["u2", "u3"],
        "m": sorted(set(messages)),
        "hook": [hook["id"] for hook in others],
        "key": [hook["url"].rsplit("/", 1)[1] for hook in hooks],
        "emoji": ["\U0001f44d", "a"],
    }


def main():
    url, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    base = url + "/api/v1"
    host = url.removeprefix("http://")
    say_hello(host, KEY, "examiner")
    say_hello(host, KEY[::-1], "other")
    known = furnish(base)
    dictionaries = "".join(f"{name} = {{ values = {json.dumps(values, ensure_ascii=False)} }}\n" for name, values in known.items())
    parameters = "".join(f'"path.{name}" = {{ dictionary = "{name}", probability = 0.5 }}\n' for name in known)
    config = CONFIG.format(
        key=KEY, examples=EXAMPLES, dictionaries=dictionaries, parameters=parameters
    )
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "schemathesis.toml"
    path.write_text(config, encoding="utf-8")
    words = [sys.executable, "-m", "schemathesis.cli", "--config-file", path, "--no-color"]
    words += ["run", base + "/openapi.json"]
    sys.exit(subprocess.call(words, cwd=folder, timeout=BUDGET))


main()
