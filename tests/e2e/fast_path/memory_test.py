"""Memory is bounded by the mesh, because a redirect does not ask whether its receiver has room."""
import json
import os
import pathlib
import re
import subprocess
import time
import unittest

from wire import Client, expect_answer, get
from world import LONG, PROGRAMS, Case

KIB, MIB = 1 << 10, 1 << 20
# What may be redirected of one answer, each message counted with 1 KiB of its own; above it the answer takes TCP, whose
# receive buffer has its own bound (tcp_rmem).
REDIRECTED = 256 * KIB
NODE_CEILING = 128 * MIB
WORKLOAD_CEILING = 64 * MIB
READERS = 10_000 if LONG else 2_000


def receive_buffer():
    return int(pathlib.Path("/proc/sys/net/ipv4/tcp_rmem").read_text().split()[2])


def tcp_memory():
    """Bytes of all sockets from which on the kernel takes TCP to be short of memory."""
    return int(pathlib.Path("/proc/sys/net/ipv4/tcp_mem").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


def slab_kib():
    return int(re.search(r"Slab:\s+(\d+)", pathlib.Path("/proc/meminfo").read_text()).group(1))


class Sleepers:
    """Clients that ask and do not read: the client program, as the workload."""

    def __init__(self, count, target):
        self.process = subprocess.Popen([PROGRAMS / "attack_client", "sleepers", str(count), target], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        if self.read() != "asked":
            raise AssertionError("they could not ask")

    def read(self):
        return json.loads(self.process.stdout.readline() or "null")

    def say(self, word):
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()
        return self.read()

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


class Memory(Case):
    def fast(self, name):
        return (self.world.fast_path() or {}).get(name, 0)

    def sleep_and_wake(self, target, size, warm=3):
        """The most that lay unread in a sleeping reader's socket until nothing more came; then it reads it all, and more."""
        before = {name: self.fast(name) for name in ("requests", "spilled")}
        with Client() as client:
            for i in range(warm):
                expect_answer(self, client.get(f"/v1/echo/{i}"), f"/v1/echo/{i}", "v1")
            client.send(get(target))
            most, still = 0, 0
            while still < 40:
                time.sleep(0.005)  # between two looks at what grows
                memory = client.memory()
                still = still + 1 if memory <= most else 0
                most = max(most, memory)
            expect_answer(self, client.read_response(), target, "v1", size)
            for i in range(3):
                expect_answer(self, client.get(f"/v2/echo/{i}"), f"/v2/echo/{i}", "v2")
        return most, {name: self.fast(name) - before[name] for name in before}

    def test_one_reader_asleep(self):
        """Large writes, small ones, and writes of one byte, of which the kernel's own share is the most."""
        for name, target, size in (("64 MiB in large writes", f"/v1/size/{64 * MIB}/s", 64 * MIB),
                                   ("8 MB in writes of 1,000 bytes", "/v1/pieces/1000/8000000/s", 8_000_000),
                                   ("400,000 bytes in writes of one", "/v1/pieces/1/400000/s", 400_000),
                                   ("1,000,000 bytes in chunks", "/v1/chunked/1000000/s", 1_000_000)):
            with self.subTest(name=name):
                most, fast = self.sleep_and_wake(target, size)
                print(f"{name}: at most {most} bytes unread in the socket of a sleeping reader "
                      f"({fast['requests']} requests in the kernel, {fast['spilled']} went on over TCP)", flush=True)
                self.assertLess(most, REDIRECTED + 2 * KIB + receive_buffer() * 3 // 2)

    def test_what_is_redirected_is_bounded(self):
        """With a small receive buffer of its own, nearly all that can lie unread is what was redirected."""
        for name, target, size in (("large writes", f"/v1/size/{64 * MIB}/b", 64 * MIB), ("writes of one byte", "/v1/pieces/1/400000/b", 400_000)):
            with Client(buffer=4096) as client:
                for i in range(3):
                    expect_answer(self, client.get(f"/v1/echo/{i}"), f"/v1/echo/{i}", "v1")
                client.send(get(target))
                most, still = 0, 0
                while still < 40:
                    time.sleep(0.005)  # between two looks at what grows
                    memory = client.memory()
                    still = still + 1 if memory <= most else 0
                    most = max(most, memory)
                print(f"{name}, to a receive buffer of 4 KiB: at most {most} bytes unread", flush=True)
                self.assertLess(most, REDIRECTED + 64 * KIB)
                expect_answer(self, client.read_response(), target, "v1", size)

    def test_a_slow_reader_again_and_again(self):
        """What one answer left is not counted against the next."""
        with Client() as client:
            for i in range(40):
                target = f"/v1/size/{300_000 if i % 2 else 200_000}/{i}"
                client.send(get(target))
                time.sleep(0.01)  # it sleeps
                expect_answer(self, client.read_response(), target, "v1", 300_000 if i % 2 else 200_000)
        if self.world.fast_path() is not None:
            self.expect_settled()

    def expect_settled(self):
        """Nothing is counted as unread when nothing is."""
        end = time.monotonic() + 10
        while (queued := self.world.fast_path().get("queued_bytes", 0)) != 0:
            self.assertLess(time.monotonic(), end, f"{queued} bytes are still counted")
            time.sleep(0.02)

    def test_thousands_asleep(self):
        """They stay under the node's ceiling, others are served meanwhile, and everything is right when they wake."""
        # More than TCP has memory for gets through to nobody, with a mesh or without.
        size = min(200_000, tcp_memory() * 2 // 3 // READERS)
        before = slab_kib()
        sleepers = Sleepers(READERS, f"/v1/size/{size}")
        try:
            found, still = sleepers.say("memory"), 0
            while still < 20:
                time.sleep(0.02)  # between two looks at what grows
                last, found = found, sleepers.say("memory")
                still = still + 1 if found == last else 0
            fast = self.world.fast_path()
            queued = fast.get("queued_bytes", 0) if fast else 0
            print(f"{READERS} readers of {size} bytes asleep: {found['sum'] / MIB:.0f} MiB unread in their sockets, at most {found['most']} in one; "
                  f"slab {(slab_kib() - before) / 1024:+.0f} MiB; redirected and unread {queued / MIB:.1f} MiB", flush=True)
            self.assertLess(found["most"], REDIRECTED + 2 * KIB + receive_buffer())
            if fast is not None:
                self.assertLessEqual(queued, min(NODE_CEILING, WORKLOAD_CEILING) + REDIRECTED)
            begin = time.monotonic()
            with Client() as client:
                for i in range(300):
                    expect_answer(self, client.get(f"/v2/size/1000/{i}"), f"/v2/size/1000/{i}", "v2", 1000)
            self.assertLess(time.monotonic() - begin, 10)
            woken = sleepers.say("wake")
            self.assertEqual((woken["right"], woken["wrong"], woken["first"]), (READERS, 0, ""))
        finally:
            sleepers.close()
        if self.world.fast_path() is not None:
            self.expect_settled()

    def test_asleep_behind_many_small_answers(self):
        """One that does not read cannot have more than one answer coming over the fast path."""
        with Client() as client:
            for i in range(3):
                expect_answer(self, client.get(f"/v1/echo/{i}"), f"/v1/echo/{i}", "v1")
            most = 0
            for i in range(200):
                client.send(get(f"/v1/size/60000/{i}"))
                most = max(most, client.memory())
            for i in range(200):
                expect_answer(self, client.read_response(), f"/v1/size/60000/{i}", "v1", 60000)
            self.assertLess(most, REDIRECTED + receive_buffer() * 3 // 2)


if __name__ == "__main__":
    unittest.main()
