"""Runs the ported suite (see port.py), under the Python of its own virtual environment.

    suite.py LIB cases SPEC             prints the case ids the patterns of SPEC stand for, as JSON
    suite.py LIB fuzzingclient SPEC     tests the servers in SPEC
    suite.py LIB fuzzingserver SPEC     tests whoever connects
"""

import codecs
import json
import sys

LIB, MODE, SPEC = sys.argv[1:]
sys.path.insert(0, LIB)

import txaio

txaio.use_twisted()

import autobahn.websocket.protocol as protocol


# autobahn's own loops over single octets are pure Python; with these two the whole suite takes
# minutes instead of hours.


class Masker:
    def __init__(self, mask, length=None):
        self.mask, self.position = bytes(mask), 0

    def pointer(self):
        return self.position

    def reset(self):
        self.position = 0

    def process(self, data):
        length, offset = len(data), self.position & 3
        key = (self.mask * (length // 4 + 2))[offset : offset + length]
        self.position += length
        return (int.from_bytes(data, "big") ^ int.from_bytes(key, "big")).to_bytes(length, "big")


class Utf8Validator:
    def __init__(self):
        self.reset()

    def reset(self):
        self.decoder, self.position = codecs.getincrementaldecoder("utf-8")(), 0

    def validate(self, octets):
        self.position += len(octets)
        try:
            self.decoder.decode(bytes(octets))
        except UnicodeDecodeError:
            return False, False, 0, self.position
        return True, not self.decoder.getstate()[0], len(octets), self.position


protocol.createXorMasker, protocol.Utf8Validator = Masker, Utf8Validator

from autobahntestsuite import fuzzing

with open(SPEC) as file:
    spec = json.load(file)

if MODE == "cases":
    cases = fuzzing.CaseSet(
        fuzzing.CaseSetname,
        fuzzing.CaseBasename,
        fuzzing.Cases,
        fuzzing.CaseCategories,
        fuzzing.CaseSubCategories,
    )
    print(json.dumps(cases.parseSpecCases(spec)))
elif MODE == "fuzzingclient":
    fuzzing.startClient(spec)
    fuzzing.reactor.run()
elif MODE == "fuzzingserver":
    # The 0 leaves out the suite's web page.
    fuzzing.startServer(spec, 0)
    fuzzing.reactor.run()
else:
    sys.exit(__doc__)
