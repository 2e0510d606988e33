#!/usr/bin/env python3
"""Makes a Python 3 copy of the Autobahn TestSuite, which is published for Python 2 only.

    port.py DIR         virtual environment in DIR/venv, ported suite in DIR/lib

Fetches autobahntestsuite 25.10.1 and autobahn 0.10.9 (both as sdists) from PyPI, runs 2to3
over the suite and edits the places 2to3 cannot know.  Inside the suite a payload stays a
str with one character per octet (latin-1), as Python 2's str was; it becomes bytes where it
meets the autobahn library.  Nothing of theirs is stored in this repository.
"""

import glob
import os
import re
import shutil
import subprocess
import sys
import tarfile

HERE = os.path.dirname(os.path.abspath(__file__))
SDISTS = ("autobahntestsuite==25.10.1", "autobahn==0.10.9")
RUNTIME = ("twisted[tls]>=22,<26", "txaio<26", "six", "zope.interface")


def main(folder):
    folder = os.path.abspath(folder)
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    python = install(folder)
    suite, library = unpack(folder)
    convert(python, suite)
    for path in glob.glob(suite + "/case/*.py"):
        edit_case(path)
    edit_library(library)
    edit_fuzzing(suite)


def run(*command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    if done.returncode:
        sys.exit("port: `%s` ended with %d:\n%s" % (" ".join(command), done.returncode, done.stdout[-2000:]))


def install(folder):
    """The virtual environment with what the suite needs at run time, and the two sdists."""
    python = folder + "/venv/bin/python"
    pip = (python, "-m", "pip", "--disable-pip-version-check")
    run(sys.executable, "-m", "venv", folder + "/venv")
    fixer = () if has_lib2to3() else ("fissix",)
    run(*pip, "install", "-q", *RUNTIME, "setuptools<80", "wheel", *fixer)
    for sdist in SDISTS:
        run(*pip, "download", "-q", "--no-deps", "--no-build-isolation", "--no-binary", ":all:", "-d", folder + "/dl", sdist)
    return python


def has_lib2to3():
    """Python 3.13 dropped it."""
    return sys.version_info < (3, 13)


def unpack(folder):
    """DIR/lib/autobahntestsuite and DIR/lib/autobahn: what the fuzzer needs of both."""
    for path in glob.glob(folder + "/dl/autobahn*.tar.gz"):
        with tarfile.open(path) as archive:
            archive.extractall(folder + "/src")
    source = glob.glob(folder + "/src/autobahntestsuite-*/autobahntestsuite")[0]
    suite, library = folder + "/lib/autobahntestsuite", folder + "/lib/autobahn"
    shutil.copytree(glob.glob(folder + "/src/autobahn-0*/autobahn")[0], library)
    os.makedirs(suite + "/case")
    cases = ["case/" + os.path.basename(path) for path in glob.glob(source + "/case/*.py")]
    for name in ["_version.py", "caseset.py", "fuzzing.py"] + cases:
        with open(source + "/" + name, "rb") as file:
            text = file.read()
        # Python 2 read octets beyond ASCII in a source as octets.
        text = re.sub(rb"[\x80-\xff]", lambda m: b"\\x%02x" % m.group()[0], text)
        with open(suite + "/" + name, "wb") as file:
            file.write(text)
    shutil.copytree(source + "/testdata", suite + "/testdata")
    shutil.copy(HERE + "/octets.py", suite)
    write(suite + "/__init__.py", "from ._version import __version__\nversion = __version__\n")
    # Reports are JSON only; the sheets of the HTML reports are named, never used.
    write(suite + "/report.py", 'CSS_COMMON = CSS_DETAIL_REPORT = CSS_MASTER_REPORT = JS_MASTER_REPORT = ""\n')
    return suite, library


def convert(python, suite):
    to3 = (sys.executable, "-W", "ignore", "-m", "lib2to3") if has_lib2to3() else (python, "-W", "ignore", "-m", "fissix")
    run(*to3, "-w", "-n", "--no-diffs", "-f", "all", "-x", "future", suite)


def edit_case(path):
    name, text = os.path.basename(path), read(path)
    text = text.replace("(object, Case, )", "(Case, )").replace(".tostring()", '.tobytes().decode("latin-1")')
    text = re.sub(r"\bpickle\.dumps\((obj[12])\)", r"\1", text)
    if "case12" in name:
        text = re.sub(
            r'pkg_resources\.resource_filename\("autobahntestsuite", "testdata/%s" % ([^\n]*)\)\n',
            r'os.path.join(os.path.dirname(__file__), "..", "testdata", \1)\n',
            text,
        )
        text = text.replace("copy, os, pkg_resources,", "copy, os,")
        text = text.replace("msg = ''", "msg = '' if not self.TESTDATA['binary'] else b''")
    elif "binascii.b2a_hex(" in text:
        text = text.replace("binascii.b2a_hex(", "octets.hex(")
        text = text.replace("import binascii", "import binascii\nfrom autobahntestsuite import octets", 1)
    if "case9_9_1" in name:
        text = text.replace("from zope.interface import implements", "")
        text = text.replace("implements(interfaces.IPushProducer)", "pass")
    if "case6_x_x" in name:
        text = text.replace("v.validate(vss[:i])", 'v.validate(vss[:i].encode("latin-1"))')
    if "case10_1_1" in name:
        text = text.replace("len(self.payload) / self", "len(self.payload) // self")
    write(path, text)


def edit_library(library):
    edit(library + "/websocket/protocol.py", ("range(payload_len / len(payload))", "range(payload_len // len(payload))"))


ELLIPSIS_BEFORE = """\
   try:
      if len(data) > maxlen - len(ellipses):
         dd = data[:maxlen] + ellipses"""

ELLIPSIS_AFTER = """\
   data = octets.b(data)
   try:
      if len(data) > maxlen - len(ellipses):
         dd = data[:maxlen] + ellipses.encode()"""

SENDS = '''\
   MAX_WIRE_LOG_DATA = 256

   def sendFrame(self, opcode, payload = b"", fin = True, rsv = 0, mask = None, *a, **k):
      return super().sendFrame(opcode, octets.b(payload), fin, rsv, octets.b(mask), *a, **k)

   def sendMessage(self, payload, *a, **k):
      return super().sendMessage(octets.b(payload), *a, **k)

   def sendMessageFrameData(self, payload, *a, **k):
      return super().sendMessageFrameData(octets.b(payload), *a, **k)

   def sendCloseFrame(self, code = None, reasonUtf8 = None, isReply = False):
      return super().sendCloseFrame(code, octets.b(reasonUtf8), isReply)
'''

ON_MESSAGE = '         self.runCase.onMessage(msg if hasattr(self.runCase, "TESTDATA") else octets.s(msg), binary)'


def edit_fuzzing(suite):
    edit(
        suite + "/fuzzing.py",
        ("textwrap, pkg_resources", "textwrap\nfrom . import octets"),
        ("binascii.b2a_hex(data[:maxlen])", "octets.hex(data[:maxlen])"),
        ("dd = binascii.b2a_hex(data)", "dd = octets.hex(data)"),
        ("binascii.b2a_hex(frameHeader.mask)", "octets.hex(frameHeader.mask)"),
        (ELLIPSIS_BEFORE, ELLIPSIS_AFTER),
        ("p = ''.join(payload)", "p = b''.join(payload)"),
        ("def createReports(self, produceHtml = True", "def createReports(self, produceHtml = False"),
        ("indent = 3, separators", "indent = 3, default = octets.dumpable, separators"),
        ("         self.runCase.onPong(payload)", "         self.runCase.onPong(octets.s(payload))"),
        ("         self.runCase.onMessage(msg, binary)", ON_MESSAGE),
        ("   MAX_WIRE_LOG_DATA = 256\n", SENDS),
    )


def edit(path, *changes):
    text = read(path)
    for before, after in changes:
        if before not in text:
            sys.exit("port: %s lacks %r" % (path, before))
        text = text.replace(before, after)
    write(path, text)


def read(path):
    with open(path) as file:
        return file.read()


def write(path, text):
    with open(path, "w") as file:
        file.write(text)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
