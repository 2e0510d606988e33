"""A whole damso.v1 client (../protocol.md): pip install websockets; python3 client.py [URL [ROOM [NAME [KEYFILE]]]]"""
import asyncio, itertools, json, os, random, re, secrets, sys, threading, websockets

URL, ROOM, NAME, FILE = sys.argv[1:] + ["ws://localhost:8765/ws", "lobby", "python", "damso.key"][len(sys.argv) - 1:]
if not os.path.exists(FILE): os.write(os.open(FILE, os.O_WRONLY | os.O_CREAT, 0o600), secrets.token_hex(16).encode())
class my: ids, outbox, wait = itertools.count(1), [], 0.5; ws = epoch = last = live = sent = None  # last: seq shown

def show(m, name, text="(deleted)", op="", **_):  # without control characters, which are orders to a terminal
    print(re.sub(r"[\0-\x1f\x7f-\x9f]+", " ", f"#{m} {op and op + ' by '}{name}: {text}"), flush=True)
def tell(**frame): asyncio.ensure_future(my.ws.send(json.dumps(frame))).add_done_callback(asyncio.Task.exception)
def enter(): tell(t="open", id=next(my.ids), room=ROOM, after=my.last, max=1_000_000)
def send(line=None, again=None):  # one at a time, the oldest first, each under its nonce until accepted or refused
    if line: my.outbox.append(line)
    if my.live and my.outbox and my.sent == again:
        my.sent = next(my.ids)
        tell(t="send", id=my.sent, room=ROOM, **my.outbox[0])
def typed(loop):
    for line in sys.stdin: loop.call_soon_threadsafe(send, {"nonce": secrets.token_hex(8), "text": line.rstrip("\n")})
def hear(f, /, t, id=0, room="", seq=0, retry=500, **_):
    if t == "ping": tell(t="pong")
    elif t == "bye": my.wait = retry / 1000
    elif t == "welcome":
        if f["epoch"] != my.epoch: my.epoch, my.last = f["epoch"], None  # the cursor belonged to another life
        enter()
    elif id == my.sent:
        if "retry" in f: return asyncio.get_running_loop().call_later(retry / 1000, send, None, id)  # too fast
        if t == "err": print(f"not sent: {f['msg']}: {my.outbox[0]['text']}", file=sys.stderr)
        my.sent = my.outbox.pop(0) and None
    elif t == "err": raise ConnectionError(f"{f['msg']} {f.get('suggest', '')}")
    elif t == "ok":  # to `open`: here is the newest page, or all that came after `last` follows
        if my.last and "gap" in f: print(f"not loaded: {f['gap']}", file=sys.stderr)
        for message in f.get("messages", []): show(**message)
        my.live, my.wait, my.last = True, 0.5, f["head"] if f["mode"] == "reset" else my.last
    elif my.live and room == ROOM and t != "seen" and seq == my.last + 1:
        my.last = seq
        if t == "msg" or f.get("op") in ("edit", "delete"): show(**{"m": seq, **f})
    elif my.live and room == ROOM and t != "seen" and seq > my.last: my.live = enter()  # a hole: open again
    send()

async def main():
    threading.Thread(target=typed, args=[asyncio.get_running_loop()], daemon=True).start()
    while not my.ws or my.ws.close_code not in (4001, 4003):
        try:
            async with websockets.connect(URL, subprotocols=["damso.v1"], proxy=None) as my.ws:
                tell(t="hello", id=next(my.ids), key=open(FILE).read(), name=NAME, agent="client.py", epoch=my.epoch)
                async for frame in my.ws: hear(f := json.loads(frame), **f)
        except (OSError, websockets.WebSocketException) as why: print(why, file=sys.stderr)
        await asyncio.sleep(my.wait * random.uniform(0.5, 1))
        my.wait, my.live, my.sent = min(30, 2 * my.wait), None, None
asyncio.run(main())
