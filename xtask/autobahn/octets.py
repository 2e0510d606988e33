"""Copied into the ported suite: where its str-of-octets (latin-1) meets real bytes."""

import binascii


def b(x):
    return x.encode("latin-1") if isinstance(x, str) else x


def s(x):
    return x.decode("latin-1") if isinstance(x, (bytes, bytearray)) else x


def hex(x):
    return binascii.b2a_hex(b(x)).decode()


def dumpable(x):
    return s(x) if isinstance(x, (bytes, bytearray)) else str(x)
