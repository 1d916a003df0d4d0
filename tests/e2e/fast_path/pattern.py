"""The content of every body, as in server/pattern.h: byte i is i % 251, so that a byte in a wrong place shows."""
import hashlib

_PERIOD = bytes(range(251))


def pattern(size):
    return (_PERIOD * (size // len(_PERIOD) + 1))[:size]


def digest(data):
    return hashlib.sha256(data).hexdigest()


def fnv(data):
    value = 0xCBF29CE484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return f"{value:x}"
