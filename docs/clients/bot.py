"""A damso.v1 bot (../protocol.md): it answers `!echo text`, each command once, whoever is killed meanwhile.
After pip install websockets: python3 bot.py [URL [ROOM [NAME [STATEFILE]]]]"""
import asyncio, itertools, json, os, random, secrets, sys, time, websockets

URL, ROOM, NAME, FILE = sys.argv[1:] + ["ws://localhost:8765/ws", "lobby", "echo-bot", "bot.json"][len(sys.argv) - 1:]
OLDEST = (time.time() - 10 * 60) * 1000  # what was said longer than that before the start is no command any more

async def answer(text):
    """What the bot is for: what it says to a message, if anything. The next message waits until this is done."""
    if text.startswith("!echo "):
        return text.removeprefix("!echo ")

os.umask(0o077)  # the key is as good as a password
kept = {"key": secrets.token_hex(16), "epoch": None, "last": None, "outbox": []}
if os.path.exists(FILE): kept = json.load(open(FILE))

class my:  # what is of this process, or of this connection
    ws = user = live = None
    asked, ids, wait = {}, itertools.count(1), 0.5

def keep():
    with open(FILE + ".new", "w") as file:
        json.dump(kept, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(FILE + ".new", FILE)  # all of it or nothing

async def take(seq, message=None):
    """Handles one event. The cursor is written down when the answer is there, and in one with it."""
    if message and message["by"] != my.user and message["at"] > OLDEST:
        if text := await answer(message.get("text", "")):
            kept["outbox"].append({"nonce": secrets.token_hex(8), "text": text, "reply": seq})
    kept["last"] = seq
    keep()

async def ask(**frame):
    my.asked[number := next(my.ids)] = frame
    await my.ws.send(json.dumps({"id": number, **frame}))

async def enter():
    my.live = False
    await ask(t="open", room=ROOM, after=kept["last"])

async def replied(f, asked):
    if "retry" in f:  # too fast
        await asyncio.sleep(f["retry"] / 1000)  # nothing is read meanwhile: the log keeps it
        await ask(**asked)
    elif asked["t"] == "send":
        line = kept["outbox"].pop(0)
        keep()
        if f["t"] == "err": print(f"not sent: {f['msg']}: {line['text']}", file=sys.stderr)
    elif f["t"] == "err":
        raise ConnectionError(f"{f['msg']} {f.get('suggest', '')}")
    elif asked["t"] == "open" and (f["mode"] == "replay" or kept["last"] is None):
        my.live, my.wait = True, 0.5
        if kept["last"] is None: await take(f["head"])  # from now on
        print(f"listening from #{kept['last'] + 1} on", flush=True)
    else:  # a reset: page by page from the cursor on, then the events since the last page
        for message in f["messages"] if asked["t"] == "history" else []: await take(message["m"], message)
        if f.get("more", True): return await ask(t="history", room=ROOM, after=kept["last"], limit=100)
        await take(f["asof"])
        await enter()

async def hear(f):
    t, asked = f["t"], my.asked.pop(f.get("id"), None)
    if asked: await replied(f, asked)
    elif t == "ping": await my.ws.send('{"t":"pong"}')
    elif t == "bye": my.wait = f.get("retry", 500) / 1000
    elif t == "welcome":
        my.user = f["user"]
        if f["epoch"] != kept["epoch"]: kept.update(epoch=f["epoch"], last=None)  # a cursor is of one epoch
        await enter()
    elif my.live and f.get("room") == ROOM and t != "seen" and f.get("seq", 0) > kept["last"]:
        if f["seq"] > kept["last"] + 1: return await enter()  # a hole
        await take(f["seq"], f if t == "msg" else None)
    if my.live and kept["outbox"] and not any(frame["t"] == "send" for frame in my.asked.values()):
        await ask(t="send", room=ROOM, **kept["outbox"][0])  # the oldest, alone, under its old nonce

async def main():
    keep()
    while not my.ws or my.ws.close_code not in (4001, 4003):
        try:
            async with websockets.connect(URL, subprotocols=["damso.v1"], proxy=None) as my.ws:
                my.live, my.asked = False, {}
                await ask(t="hello", key=kept["key"], name=NAME, agent="bot.py", epoch=kept["epoch"])
                async for frame in my.ws: await hear(json.loads(frame))
        except (OSError, websockets.WebSocketException) as why: print(why, file=sys.stderr)
        await asyncio.sleep(my.wait * random.uniform(0.5, 1))
        my.wait = min(30, 2 * my.wait)
asyncio.run(main())
