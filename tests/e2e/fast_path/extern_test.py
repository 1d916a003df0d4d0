"""Filters in BPF C where requests are: kernel and handler ask the same function, and their maps are the node's own."""
import ctypes
import glob
import os
import pathlib
import struct
import subprocess
import sys
import unittest

from wire import Client
from world import BIN, ROUTE, World, first_requests

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent))
from machine import _bpf  # noqa: E402

MAP_LOOKUP, MAP_UPDATE, MAP_DELETE, OBJ_GET = 1, 2, 3, 7

FILTER = """#include <heddle/filter.h>

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, %d);
  __type(key, struct heddle_address);
  __type(value, __u32);
} clients SEC(".maps");

int filter(const struct heddle_request* request) {
  struct heddle_address address = heddle_address_of(request->source);
  return bpf_map_lookup_elem(&clients, &address) != NULL;
}
"""
EXTERNS = 'extern marked from "clients.bpf.c"\nextern blocked from "clients.bpf.c"\n'
SOURCE = "127.0.0.66"


class Map:
    """A pinned map of a filter."""

    def __init__(self, world, name):
        found = glob.glob(f"/sys/fs/bpf/heddle/{world.root.name}-*/extern/{name}/clients")
        if len(found) != 1:
            raise AssertionError(f"pinned maps of {name}: {found}")
        self.path = found[0]
        path = ctypes.create_string_buffer(self.path.encode())
        self.fd, _ = _bpf(OBJ_GET, struct.pack("QII", ctypes.addressof(path), 0, 0))

    def _call(self, command, address, value=1):
        key = ctypes.create_string_buffer(bytes(10) + b"\xff\xff" + bytes(map(int, address.split("."))), 16)
        value = ctypes.create_string_buffer(struct.pack("I", value), 4) if value is not None else None
        return _bpf(command, struct.pack("IIQQQ", self.fd, 0, ctypes.addressof(key), ctypes.addressof(value) if value else 0, 0))[0]

    def add(self, address):
        if self._call(MAP_UPDATE, address):
            raise AssertionError("the map takes no entry")

    def remove(self, address):
        self._call(MAP_DELETE, address, None)

    def has(self, address):
        return self._call(MAP_LOOKUP, address) == 0


class FilterWorld(World):
    entries = 64

    def policy(self, **other):
        (self.folder / "clients.bpf.c").write_text(FILTER % self.entries)
        access = 'deny from any when blocked { label "blocked" }\n  ' + self.access
        route = ROUTE.replace('when path under "/v1"', 'when marked and path under "/any" -> v1\n  when path under "/any" -> v2\n  when path under "/v1"')
        return super().policy(access=access, route=route, extra=EXTERNS, **other)


class Extern(unittest.TestCase):
    def world(self, fast=True):
        world = FilterWorld()
        self.addCleanup(world.close)
        if not fast:
            world.reload(world.build(world.policy().replace("identity web }", "identity web fast_path off }")))
        return world

    def ask(self, client, marked):
        response = client.get("/any/echo/x")
        self.assertEqual((response.status, response.x_endpoint), (200, "v1" if marked else "v2"))

    def test_the_fast_path_asks_it(self):
        """On one connection, each request by what the map has when it is sent; nearly all of them are decided in the kernel."""
        world = self.world()
        marks = Map(world, "marked")
        with Client(source=SOURCE) as client, Client() as other, world.on_fast_path(self, *first_requests(2, 2)):
            for turn in range(40):
                marked = turn % 2 == 1
                (marks.add if marked else marks.remove)(SOURCE)
                for _ in range(10):
                    self.ask(client, marked)
                    self.ask(other, False)
        world.expect_checked(self)

    def test_the_handler_asks_it(self):
        world = self.world(fast=False)
        marks, before = Map(world, "marked"), world.fast_path()["requests"]
        with Client(source=SOURCE) as client, Client() as other:
            for turn in range(10):
                (marks.add if turn % 2 else marks.remove)(SOURCE)
                self.ask(client, turn % 2 == 1)
                self.ask(other, False)
        self.assertEqual(world.fast_path()["requests"], before)
        world.expect_checked(self)

    def test_who_is_blocked_stays_so(self):
        """In the middle of a connection, and behind reloads, of which one has a policy without it."""
        world = self.world()
        blocked = Map(world, "blocked")
        with Client(source=SOURCE) as client:
            self.ask(client, False)
            self.ask(client, False)
            blocked.add(SOURCE)
            for _ in range(3):
                response = client.get("/any/echo/x")
                self.assertEqual((response.status, response.x_heddle_rule), (403, "access echo/blocked"))
            with Client() as other:
                self.ask(other, False)
            world.reload(world.build(world.policy().replace("allow from web", "deny from foe\n  allow from web", 1)))
            self.assertEqual(client.get("/any/echo/x").status, 403)
            self.assertTrue(Map(world, "blocked").has(SOURCE))
            # A policy that does not know it leaves it as it is.
            world.reload(world.build(World.policy(world)))
            self.assertEqual(client.get("/v1/echo/x").status, 200)
            world.reload(world.build(world.policy()))
            self.assertEqual(client.get("/any/echo/x").status, 403)
            blocked.remove(SOURCE)
            self.ask(client, False)
        world.expect_checked(self)

    def test_another_layout_is_refused(self):
        world = self.world()
        blocked = Map(world, "blocked")
        blocked.add(SOURCE)
        world.entries = 128
        bundle = world.build(world.policy())
        done = subprocess.run([BIN / "heddle", "reload", "--control", world.control, bundle], capture_output=True, text=True)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn("map `clients` of filter `blocked` is pinned with another layout: hash of 64 entries", done.stderr)
        self.assertIn(f"rm {blocked.path}", done.stderr)
        with Client(source=SOURCE) as client:
            self.assertEqual(client.get("/any/echo/x").status, 403, "the old policy stays in force")
        for name in ("marked", "blocked"):
            os.unlink(Map(world, name).path)
        world.reload(bundle)
        with Client(source=SOURCE) as client:
            self.ask(client, False)
        self.assertFalse(Map(world, "blocked").has(SOURCE))
        world.expect_checked(self)

    def test_detach_removes_them(self):
        world = self.world()
        path = pathlib.Path(Map(world, "blocked").path)
        done = subprocess.run([BIN / "heddle", "detach", "--control", world.control], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertFalse(path.exists() or path.parents[2].exists())


if __name__ == "__main__":
    unittest.main()
