"""Memory of BPF maps, as the kernel accounts it."""

import os
import pathlib
import struct
import time

import scratch  # noqa: F401  finds the next one
from machine import _bpf

MAP_GET_NEXT_ID, MAP_GET_FD_BY_ID = 12, 14


def _fdinfo(text):
    return {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in text.splitlines())}


def ids():
    """Of all maps in the kernel."""
    found, last = set(), 0
    while True:
        result, attributes = _bpf(MAP_GET_NEXT_ID, struct.pack("III", last, 0, 0))
        if result < 0:
            return found
        last = struct.unpack_from("I", attributes, 4)[0]
        found.add(last)


def size(number):
    """Bytes, elements that were allocated one by one included (where the kernel counts them, from 6.4 on); None: it is gone."""
    descriptor, _ = _bpf(MAP_GET_FD_BY_ID, struct.pack("III", number, 0, 0))
    if descriptor < 0:
        return None
    try:
        return int(_fdinfo(pathlib.Path(f"/proc/self/fdinfo/{descriptor}").read_text())["memlock"])
    finally:
        os.close(descriptor)


def held_by(pid):
    """Ids of the maps that a process has open."""
    found = set()
    for entry in pathlib.Path(f"/proc/{pid}/fdinfo").iterdir():
        fields = _fdinfo(entry.read_text())
        if "map_id" in fields:
            found.add(int(fields["map_id"]))
    return found


def gone(numbers, patience=5.0):
    """Those of the maps that the kernel has freed; it does so a moment after their last user is gone."""
    end = time.monotonic() + patience
    while numbers & ids() and time.monotonic() < end:
        time.sleep(0.05)
    return numbers - ids()
