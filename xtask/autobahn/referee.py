#!/usr/bin/env python3
"""Runs the Autobahn TestSuite against one peer and says how it went.

    referee.py [OPTIONS] --suite DIR ws://127.0.0.1:9000/    a server: echoes text and binary
    referee.py [OPTIONS] --suite DIR -- CLIENT [ARGS]        a client: called as
                                        CLIENT [ARGS] --url URL --agent AGENT; it asks
                                        URL/getCaseCount, runs URL/runCase?case=1..n&agent=AGENT
                                        echoing messages, and ends with 0

DIR is the folder port.py filled.  Last line:
    autobahn server: 517 cases, 510 OK, 4 NON-STRICT, 3 INFORMATIONAL, 0 FAILED
Exit: 0 fine; 1 a case FAILED, closed uncleanly or never ran; 2 usage.
"""

import argparse
import base64
import collections
import json
import os
import shutil
import socket
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))

# Seconds a case of the group takes, about: shards are balanced by it.  Others: 0.05.
COST = {"9": 0.3, "12": 4.0, "13": 3.0}
# The last parts of 9.*, 12.* and 13.* ids with the large messages.
LARGE = {"9", "10", "15", "16", "17", "18"}


def main():
    options = parse()
    shutil.rmtree(options.out, ignore_errors=True)
    os.makedirs(options.out)
    started = time.monotonic()
    expected = expand(options)
    deadline = started + options.limit
    shards = split(expected, options.jobs)
    if options.url:
        run_server_shards(options, shards, deadline)
    else:
        run_client_shards(options, shards, deadline)
    return verdict(options, expected, collect(options, len(shards)), time.monotonic() - started)


def parse():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--suite", required=True)
    parser.add_argument("--cases", default="*", help="patterns, as in 1.*,7.*")
    parser.add_argument("--exclude", default="")
    parser.add_argument("--agent", default="testee")
    parser.add_argument("--out", required=True, help="folder for reports; emptied first")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--limit", type=float, default=1800, help="seconds allowed in all")
    parser.add_argument("--strict", action="store_true", help="NON-STRICT and UNIMPLEMENTED fail too")
    parser.add_argument("peer", nargs="+")
    options = parser.parse_args()
    options.suite, options.out = os.path.abspath(options.suite), os.path.abspath(options.out)
    is_url = options.peer[0].startswith(("ws://", "wss://"))
    options.url = options.peer[0] if is_url else None
    return options


# ---- the cases


def suite_command(options, mode, spec):
    return [options.suite + "/venv/bin/python", "-u", "-W", "ignore", HERE + "/suite.py", options.suite + "/lib", mode, spec]


def expand(options):
    """The suite itself says which cases the patterns stand for."""
    spec = options.out + "/patterns.json"
    patterns = lambda text: [word for word in text.split(",") if word]
    write_json(spec, {"cases": patterns(options.cases), "exclude-cases": patterns(options.exclude)})
    done = subprocess.run(suite_command(options, "cases", spec), stdout=subprocess.PIPE, check=True)
    cases = json.loads(done.stdout)
    if not cases:
        sys.exit("autobahn: no case matches %s" % options.cases)
    return cases


def split(cases, jobs):
    def cost(case):
        parts = case.split(".")
        return COST.get(parts[0], 0.05) * (2.5 if parts[-1] in LARGE else 1)

    shards = [[0.0, []] for _ in range(max(1, min(jobs, len(cases))))]
    for case in sorted(cases, key=cost, reverse=True):
        shard = min(shards, key=lambda shard: shard[0])
        shard[0] += cost(case)
        shard[1].append(case)
    return [cases for _, cases in shards]


def write_spec(options, index, cases, **more):
    path = "%s/spec%d.json" % (options.out, index)
    report = "%s/shard%d" % (options.out, index)
    write_json(path, {"outdir": report, "cases": cases, "exclude-cases": [], "exclude-agent-cases": {}, **more})
    return path


def write_json(path, value):
    with open(path, "w") as file:
        json.dump(value, file)


# ---- the runs


def start(command, log):
    with open(log, "w") as file:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT)


def wait(process, what, log, deadline):
    """Ends with the process or at the deadline; what went wrong is told, the verdict counts it."""
    try:
        code = process.wait(max(1, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        code = "its time over"
    if code != 0:
        print("autobahn: %s ended with %s; the end of %s:" % (what, code, log))
        with open(log, errors="replace") as file:
            print("".join(file.readlines()[-5:]), end="")


def run_server_shards(options, shards, deadline):
    running = []
    for index, cases in enumerate(shards):
        servers = [{"agent": options.agent, "url": options.url}]
        spec = write_spec(options, index, cases, servers=servers)
        log = "%s/fuzzingclient%d.log" % (options.out, index)
        running.append((start(suite_command(options, "fuzzingclient", spec), log), log))
    for process, log in running:
        wait(process, "the fuzzing client", log, deadline)


def run_client_shards(options, shards, deadline):
    running = []
    for index, cases in enumerate(shards):
        port = free_port()
        url = "ws://127.0.0.1:%d" % port
        spec = write_spec(options, index, cases, url=url)
        server = start(suite_command(options, "fuzzingserver", spec), "%s/fuzzingserver%d.log" % (options.out, index))
        running.append((index, port, url, server))
    try:
        clients = []
        for index, port, url, server in running:
            await_listener(port, server)
            log = "%s/client%d.log" % (options.out, index)
            clients.append((start(options.peer + ["--url", url, "--agent", options.agent], log), log))
        for process, log in clients:
            wait(process, "the client", log, deadline)
        for index, port, url, server in running:
            ask_for_reports(port, options.agent)
    finally:
        for index, port, url, server in running:
            server.kill()
            server.wait()


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def await_listener(port, server):
    for _ in range(300):
        if server.poll() is not None:
            sys.exit("autobahn: the fuzzing server ended with %d" % server.returncode)
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.1)
    sys.exit("autobahn: the fuzzing server does not listen after 30 s")


def ask_for_reports(port, agent):
    """A connection to /updateReports, until the server closes it: a client may have forgotten."""
    key = base64.b64encode(os.urandom(16)).decode()
    request = (
        "GET /updateReports?agent=%s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: %s\r\nSec-WebSocket-Version: 13\r\n\r\n" % (agent, port, key)
    )
    close_frame = b"\x88\x80\0\0\0\0"
    try:
        with socket.create_connection(("127.0.0.1", port), 30) as connection:
            connection.sendall(request.encode())
            while connection.recv(4096):
                connection.sendall(close_frame)
    except OSError:
        pass


# ---- the verdict


def collect(options, shards):
    results = {}
    for index in range(shards):
        folder = "%s/shard%d" % (options.out, index)
        try:
            with open(folder + "/index.json") as file:
                agents = json.load(file)
        except OSError:
            continue
        for case, result in agents.get(options.agent, {}).items():
            results[case] = dict(result, report="%s/%s" % (folder, result["reportfile"]))
    return results


def verdict(options, expected, results, seconds):
    by_number = lambda case: [int(part) for part in case.split(".")]
    bad = unclean = 0
    groups = collections.OrderedDict()
    for case in sorted(results, key=by_number):
        result = results[case]
        group = groups.setdefault(case.split(".")[0], [0, 0.0])
        group[0] += 1
        group[1] += result["duration"] / 1000.0
        behavior, close = result["behavior"], result["behaviorClose"]
        is_unclean = close not in ("OK", "INFORMATIONAL")
        fails = behavior == "FAILED" or is_unclean
        fails |= options.strict and behavior in ("NON-STRICT", "UNIMPLEMENTED")
        bad += fails
        unclean += is_unclean
        if fails or behavior == "NON-STRICT":
            print("%s %s: %s, close %s (%s)" % ("FAIL" if fails else "note", case, behavior, close, result["report"]))
    missing = sorted((case for case in expected if case not in results), key=by_number)
    if missing:
        print("FAIL missing: %d cases never ran, from %s on" % (len(missing), missing[0]))
    print("by group: %s; in all %.0f s" % (", ".join("%s: %d in %.1f s" % (k, *v) for k, v in groups.items()), seconds))
    count = collections.Counter(result["behavior"] for result in results.values())
    line = "autobahn %s: %d cases, %d OK, %d NON-STRICT, %d INFORMATIONAL, %d FAILED" % (
        "server" if options.url else "client",
        len(results),
        count["OK"],
        count["NON-STRICT"],
        count["INFORMATIONAL"],
        count["FAILED"],
    )
    if count["UNIMPLEMENTED"]:
        line += ", %d UNIMPLEMENTED" % count["UNIMPLEMENTED"]
    if unclean:
        line += ", %d unclean close" % unclean
    if missing:
        line += ", %d MISSING" % len(missing)
    print(line)
    return 1 if bad or missing else 0


if __name__ == "__main__":
    sys.exit(main())
