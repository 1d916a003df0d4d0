"""Calls that behave differently on a socket of the fast path: what they do on this kernel, that no byte is wrong, lost or twice
whatever they do, and that `fast_path off` gives them back their meaning (docs/fast-path.md has the table)."""
import errno
import fcntl
import os
import select
import signal
import socket
import struct
import threading
import time
import unittest

from pattern import pattern
from wire import Client, expect_answer, get, request
from world import TIMEOUT, Case

FIONREAD = 0x541B


def policy_text(world):
    """web as always; foe is opted out, and may do the same."""
    text = world.policy(access=world.access.replace("allow from web when", "allow from web, foe when"))
    return text.replace('workload foe { cgroup "foe.service" identity foe }',
                        'workload foe { cgroup "foe.service" identity foe fast_path off }')


def note(call, opted_out, what):
    """What a call did, on the fast path or behind the opt-out."""
    print(f"{call}, {'opted out' if opted_out else 'fast path'}: {what}", flush=True)


class Disturbed(Case):
    world_options = {"text": policy_text}

    def clients(self):
        """One on the fast path, one of a workload with `fast_path off`; each has asked before."""
        for workload in ("web", "foe"):
            self.world.enter(workload)
            try:
                with Client() as client:
                    client.socket.settimeout(None)  # blocking calls
                    before = self.world.fast_path()["requests"]
                    for i in range(5):
                        expect_answer(self, client.get(f"/v1/echo/{i}"), f"/v1/echo/{i}", "v1")
                    on = self.world.fast_path()["requests"] - before
                    self.assertEqual(on > 0, workload == "web", f"{on} of {workload}'s requests were decided in the kernel")
                    yield client, workload == "foe"
            finally:
                self.world.enter("web")

    def whole(self, client, data, target, size):
        """The rest of an answer, read in the ordinary way: all of it, and then an ordinary exchange."""
        client.buffer += data
        client.socket.settimeout(TIMEOUT)
        expect_answer(self, client.read_response(), target, "v1", size)
        expect_answer(self, client.get("/v2/echo/after"), "/v2/echo/after", "v2")

    def test_blocking_recv_and_a_signal(self):
        """With SA_RESTART, a signal must not be seen by whoever waits."""
        for client, opted_out in self.clients():
            beats = []
            old = signal.signal(signal.SIGALRM, lambda *_: beats.append(1))
            signal.siginterrupt(signal.SIGALRM, False)
            client.send(get("/v1/held/signal"))
            self.world.servers.wait(lambda found: found["held"] == 1, "a held request")
            releaser = threading.Timer(0.3, lambda: self.world.servers.say("release"))
            releaser.start()
            signal.setitimer(signal.ITIMER_REAL, 0.05)
            try:
                data, what = client.socket.recv(1 << 16), "went on waiting"
            except BlockingIOError:
                data, what = b"", "EAGAIN"
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
                signal.signal(signal.SIGALRM, old)
            releaser.join()
            self.assertEqual(len(beats), 1)
            note("blocking recv and a signal with SA_RESTART", opted_out, what)
            if opted_out:
                self.assertEqual(what, "went on waiting")
            self.whole(client, data, "/v1/held/signal", None)

    def test_blocking_recv_and_another_writer(self):
        """One thread waits for the answer while another writes more than the socket takes at once."""
        for client, opted_out in self.clients():
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
            body = pattern(3_000_000)
            writer = threading.Thread(target=client.send, args=(request("POST", "/v1/slow/200/w", body=body),))
            writer.start()
            data, again = b"", 0
            while not data:
                try:
                    data = client.socket.recv(1 << 16)
                except BlockingIOError:
                    again += 1
                    select.select([client.socket], [], [], TIMEOUT)
            writer.join()
            note("blocking recv and a writing thread", opted_out, f"EAGAIN {again} times" if again else "went on waiting")
            if opted_out:
                self.assertEqual(again, 0)
            self.whole(client, data, "/v1/slow/200/w", None)

    def test_waitall(self):
        """The whole answer, and not less, in one call."""
        for client, opted_out in self.clients():
            target, size = "/v1/pieces/7000/100000/all", 100_000
            client.send(get(target))
            wanted = size  # less than comes, as the head is before it
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 2, 0))
            try:
                data = client.socket.recv(wanted, socket.MSG_WAITALL)
                what = "all" if len(data) == wanted else "short"
            except BlockingIOError:
                data, what = b"", "waited past what was there"
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 0, 0))
            note("recv with MSG_WAITALL", opted_out, what)
            if opted_out:
                self.assertEqual(what, "all")
            self.whole(client, data, target, size)

    def test_fionread(self):
        """How many bytes lie there, when all have come."""
        for client, opted_out in self.clients():
            target, size = "/v1/size/1000/fionread", 1000
            client.send(get(target))
            end = time.monotonic() + 2
            found = 0
            while found < size and time.monotonic() < end:
                select.select([client.socket], [], [], 0.1)
                found = struct.unpack("i", fcntl.ioctl(client.socket, FIONREAD, b"\0" * 4))[0]
            there = len(client.socket.recv(1 << 16, socket.MSG_PEEK))
            note("FIONREAD", opted_out, "right" if found == there else f"{found} of {there}")
            if opted_out:
                self.assertEqual(found, there)
            self.whole(client, b"", target, size)

    def test_splice(self):
        for client, opted_out in self.clients():
            target, size = "/v1/size/1000/splice", 1000
            client.send(get(target))
            self.assertTrue(select.select([client.socket], [], [], TIMEOUT)[0], "poll says that there is nothing")
            into, out = os.pipe()
            client.socket.setblocking(False)
            try:
                moved = os.splice(client.socket.fileno(), out, 1 << 16, flags=0x2)  # SPLICE_F_NONBLOCK
                what = "right" if moved else "nothing"
            except OSError as error:
                moved, what = 0, errno.errorcode[error.errno]
            finally:
                client.socket.setblocking(True)
            data = os.read(into, moved) if moved else b""
            os.close(into)
            os.close(out)
            note("splice from the socket", opted_out, what)
            if opted_out:
                self.assertEqual(what, "right")
            self.whole(client, data, target, size)

    def test_calls_that_are_not_disturbed(self):
        """MSG_PEEK, recvmsg into parts, SO_RCVTIMEO, poll and SO_RCVLOWAT at one byte mean what they mean."""
        for client, opted_out in self.clients():
            with self.subTest(opted_out=opted_out):
                client.send(get("/v1/size/500/peek"))
                select.select([client.socket], [], [], TIMEOUT)
                peeked = client.socket.recv(1 << 16, socket.MSG_PEEK)
                parts = [bytearray(7) for _ in range(200)]
                count, _, _, _ = client.socket.recvmsg_into(parts)
                read = b"".join(parts)[:count]
                self.assertEqual(read[:len(peeked)], peeked[:len(read)])
                self.whole(client, read, "/v1/size/500/peek", 500)
                client.socket.settimeout(None)
                client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 0, 50_000))
                begin = time.monotonic()
                self.assertRaises(BlockingIOError, client.socket.recv, 1)
                self.assertGreater(time.monotonic() - begin, 0.04)
                client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 0, 0))
                poll = select.poll()
                poll.register(client.socket, select.POLLIN)
                self.assertEqual(poll.poll(10), [])
                client.send(get("/v1/echo/poll"))
                self.assertEqual(poll.poll(TIMEOUT * 1000), [(client.socket.fileno(), select.POLLIN)])
                self.whole(client, b"", "/v1/echo/poll", None)


if __name__ == "__main__":
    unittest.main()
