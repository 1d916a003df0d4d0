"""Connections, processes and policies that come and go: nothing wrong meanwhile, and nothing left behind."""
import errno
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import time
import unittest

from pattern import pattern
from wire import Client, expect_answer, get, request
from world import LONG, PROGRAMS, TIMEOUT, Case, attack, eventually, first_requests

RELOADS = 1000 if LONG else 40
SHORT_CONNECTIONS = 1_000_000 if LONG else 50_000
IDLE_SECONDS = 30  # after which the mesh closes a connection to a server


class Load:
    """The client program under way, as the workload that this process is."""

    def __init__(self, connections, seconds, mix):
        self.process = subprocess.Popen([PROGRAMS / "attack_client", "load", str(connections), str(seconds), mix],
                                        stdout=subprocess.PIPE, text=True)

    def result(self):
        out, _ = self.process.communicate(timeout=TIMEOUT * 20)
        return json.loads(out)


class Life(Case):
    def setUp(self):
        if not self.world.servers.alive():
            self.world.start_servers()

    def in_use(self, what):
        """Flows or links that the fast path has in use; 0 while this build has none."""
        return (self.world.fast_path() or {}).get(what, 0)

    def good(self, client, name, endpoint="v1"):
        target = f"/{endpoint}/echo/{name}"
        expect_answer(self, client.get(target), target, endpoint)

    def complaints(self):
        """What heddled and its workers said that is more than a note."""
        return [line for line in self.world.text_of_log().splitlines() if re.search(r"warn|error", line)][-20:]

    def expect_no_flows(self):
        eventually(self, lambda: self.in_use("flows") == 0, "all flows are free")

    def test_half_close(self):
        for path, size in (("echo", None), ("size/0", 0), ("size/200000", 200_000), ("size/2000000", 2_000_000), ("chunked/90000", 90_000),
                           ("slow/20", None), ("pieces/1/300", 300)):
            for warm in (0, 1, 3):
                with self.subTest(path=path, warm=warm), Client() as client:
                    for i in range(warm):
                        self.good(client, i)
                    client.send(get(f"/v1/{path}/half"))
                    client.socket.shutdown(1)
                    expect_answer(self, client.read_response(), f"/v1/{path}/half", "v1", size)
                    self.assertTrue(client.ended())
        with Client() as client:
            for i in range(3):
                self.good(client, i)
            client.socket.shutdown(1)
            self.assertTrue(client.ended())
        self.expect_no_flows()

    def test_half_a_head(self):
        """A client that stops in the middle of a head disturbs nobody, and leaves nothing when it goes."""
        clients = [Client() for _ in range(20)]
        for i, client in enumerate(clients):
            for j in range(i % 3):
                self.good(client, j)
            client.send(request("POST", "/v1/echo/half", body=pattern(200))[:10 + 12 * i])
        with Client() as other:
            for i in range(20):
                self.good(other, i)
        for i, client in enumerate(clients):
            if i % 2:
                client.close()
            else:
                client.reset()
        eventually(self, lambda: self.world.servers.statistics()["violations"] == 0, "no violation")
        self.expect_no_flows()

    def test_clients_that_go(self):
        """In the middle of an answer, with FIN and with reset; with a request unanswered; others notice nothing."""
        with Client() as other:
            for number in range(60):
                client = Client()
                for i in range(number % 4):
                    self.good(client, i)
                client.send(get(("/v1/size/30000000/x", "/v1/held/x", "/v1/pieces/1/20000/x", "/v1/size/200000/x")[number % 4]))
                if number % 3 == 0 and number % 4 != 1:
                    client.fill()
                if number % 2:
                    client.close()
                else:
                    client.reset()
                self.good(other, number)
        self.world.servers.say("release")
        self.expect_no_flows()

    def test_clients_that_are_silent_at_first(self):
        """The handler hears of them when they send, or after a second; both go on like any other."""
        clients = [Client(family) for family in "46" * 100]
        with Client() as other:
            for i in range(20):
                self.good(other, i)
        for i, client in enumerate(clients[:100]):
            self.good(client, i)
        time.sleep(1.5)  # the others have been let in without a byte
        with self.world.on_fast_path(self, *first_requests(len(clients))):
            for client in clients:
                for i in range(5):
                    self.good(client, i)
        for client in clients[::2]:
            client.close()
        for client in clients[1::2]:
            client.reset()
        self.expect_no_flows()

    def test_socket_that_connects_again(self):
        """Each of its connections is like that of a new socket, whatever the one before left behind."""
        for family in ("4", "6"):
            for left in (None, "/v1/size/5000/left", "/v1/held/left"):
                with self.subTest(family=family, left=left), Client(family) as client:
                    with self.world.on_fast_path(self, *first_requests(20)):
                        for number in range(20):
                            for i in range(200):
                                self.good(client, f"{number}.{i}")
                            if left:
                                client.send(get(left))
                                time.sleep(0.01 * (number % 2))  # its answer has come, or has not
                            client.disconnect()
                            if number % 3:
                                self.expect_no_flows()
                            client.connect_again()
                            # The kernel lets go of what was not read a little later; until then the handler serves.
                            eventually(self, lambda: client.memory() == 0, "nothing is left")
                    client.disconnect()
                    self.world.servers.say("release")
        self.expect_no_flows()

    def test_socket_that_goes_on_outside(self):
        """After its connection to the mesh has ended, a socket is like any other, and says what others say."""
        with socket.create_server(("127.0.0.1", 0)) as listener, Client() as client:
            for i in range(5):
                self.good(client, i)
            client.disconnect()
            self.assertEqual(client.error(), errno.ECONNRESET)
            with self.assertRaises(BrokenPipeError):
                client.send(get("/v1/echo/nowhere"))
            client.connect_again(listener.getsockname())
            accepted = listener.accept()[0]
            with accepted:
                client.send(pattern(100_000))
                received = b""
                while len(received) < 100_000:
                    received += accepted.recv(1 << 17)
                self.assertEqual(received, pattern(100_000))
                accepted.sendall(b"and back")
                self.assertEqual(client.read_exactly(8), b"and back")
        self.expect_no_flows()

    def test_ends_whose_other_end_was_killed(self):
        """What it may not send any more is refused as it is without a mesh."""
        with Client() as client:
            for i in range(5):
                self.good(client, i)
            for pid in self.world.workers():
                os.kill(pid, signal.SIGKILL)
            eventually(self, lambda: all(each["ready"] for each in self.world.status_now()["workers"]), "new workers")
            self.assertTrue(client.ended())
            client.send(get("/v1/echo/nobody"))
            eventually(self, lambda: client.error() == errno.EPIPE, "the other side's reset")
            with self.assertRaises(BrokenPipeError):
                client.send(get("/v1/echo/nobody"))
        self.expect_no_flows()

    def test_client_that_is_killed(self):
        for number in range(5):
            process = subprocess.Popen([PROGRAMS / "attack_client", "sleepers", "20", "/v1/size/3000000"], stdin=subprocess.PIPE,
                                       stdout=subprocess.PIPE, text=True)
            self.assertEqual(process.stdout.readline(), '"asked"\n')
            process.kill()
            process.wait()
            process.stdin.close()
            process.stdout.close()
            with Client() as client:
                self.good(client, number)
                self.good(client, number)
        self.expect_no_flows()

    def test_server_that_is_killed_under_load(self):
        load = Load(16, 4, "small")
        for _ in range(3):
            answered = self.world.servers.statistics()["answered"]
            self.world.servers.wait(lambda found: found["answered"] > answered + 500, "load")
            self.world.servers.kill()
            self.world.start_servers()
        found = load.result()
        print(f"a server killed 3 times: {found['answers']} answers, {found['failed']} ended, {found['seen']}", flush=True)
        self.assertEqual((found["wrong"], found["refused"]), (0, 0), found["first"])
        self.assertLessEqual({key.split()[0] for key in found["seen"]}, {"200", "204", "502", "503"})
        self.expect_no_flows()

    def test_worker_that_is_killed(self):
        """Connections of the worker end, visibly; no answer is wrong; a new worker serves on."""
        load = Load(16, 5, "small")
        for _ in range(3):
            workers = self.world.workers()
            answered = self.world.servers.statistics()["answered"]
            self.world.servers.wait(lambda found: found["answered"] > answered + 500, "load")
            os.kill(workers[0], signal.SIGKILL)
            eventually(self, lambda: len(self.world.workers()) == len(workers) and workers[0] not in self.world.workers()
                       and all(each["ready"] for each in self.world.status_now()["workers"]), "a new worker")
        found = load.result()
        print(f"a worker killed 3 times: {found['answers']} answers, {found['failed']} connections ended, {found['refused']} refused, "
              f"slowest {found['slowest']} s, {found['seen']}", flush=True)
        self.assertEqual((found["wrong"], found["first"] if found["wrong"] else ""), (0, ""))
        self.assertLessEqual(found["failed"], 3 * 16)
        self.assertLess(found["slowest"], 5)
        self.assertLessEqual({key.split()[0] for key in found["seen"]}, {"200", "204"})
        self.expect_no_flows()

    def test_policy_that_changes_while_a_worker_cannot_live(self):
        """One that dies again and again is started again later and later; a reload does not wait for it."""
        bundle = self.world.build(self.world.policy())
        others = self.world.workers()[1:]
        for _ in range(4):
            pid = eventually(self, lambda: set(self.world.workers()) - set(others), "a worker").pop()
            os.kill(pid, signal.SIGKILL)
            eventually(self, lambda: pid not in self.world.workers(), "its end")
        self.world.reload(bundle)
        with Client() as client:
            for i in range(5):
                self.good(client, i)
        eventually(self, lambda: all(each["ready"] for each in self.world.status_now()["workers"]), "all workers")

    def test_agent_that_is_killed(self):
        """While nobody is there to decide, what cannot be decided in the kernel is refused; then everything goes on."""
        load = Load(16, 6, "small")
        for _ in range(2):
            answered = self.world.servers.statistics()["answered"]
            self.world.servers.wait(lambda found: found["answered"] > answered + 500, "load")
            self.world.agent.kill()
            self.world.agent.wait()
            self.world.start(self.world.build(self.world.policy()))
        found = load.result()
        print(f"heddled killed twice: {found['answers']} answers, {found['failed']} connections ended, {found['refused']} refused, "
              f"{found['seen']}", flush=True)
        self.assertEqual((found["wrong"], found["first"] if found["wrong"] else ""), (0, ""))
        self.assertLessEqual({key.split()[0] for key in found["seen"]}, {"200", "204"})
        with self.world.on_fast_path(self, *first_requests(1)), Client() as client:
            for i in range(200):
                self.good(client, i)
        self.expect_no_flows()

    def test_policies_that_change(self):
        """One allows and leads to v1, the other denies and would lead to v2: an answer of v2 is of both."""
        one = self.world.policy(route="route echo {\n  when path under \"/any\" and not header \"x\" present -> v1\n  otherwise -> v1\n}")
        other = self.world.policy(access='deny from any when path under "/any" { label "bee" }\n  allow from web',
                                  route='route echo {\n  when header "y" absent -> v2\n  otherwise -> v2\n}')
        bundles = [self.world.build(one), self.world.build(other)]
        before = self.world.fast_path()
        self.world.reload(bundles[0])
        load = Load(16, 3600, "balanced")
        try:
            begin = time.monotonic()
            for i in range(RELOADS):
                self.world.reload(bundles[(i + 1) % 2])
            seconds = time.monotonic() - begin
        finally:
            load.process.send_signal(signal.SIGINT)
            found = load.result()
            after = self.world.fast_path()
            self.world.reload(self.world.build(self.world.policy()))  # the other tests' own
        fast = after["requests"] - before["requests"] if after else 0
        print(f"{RELOADS} reloads in {seconds:.1f} s: {found['answers']} answers, {fast} decided in the kernel, {found['seen']}", flush=True)
        self.assertEqual((found["wrong"], found["failed"], found["refused"], found["first"]), (0, 0, 0, ""), self.complaints())
        self.assertLessEqual(set(found["seen"]), {"200 v1 ", "204 v1 ", "403  access echo/bee"})
        self.assertGreater(min(found["seen"].get("200 v1 ", 0), found["seen"].get("403  access echo/bee", 0)), RELOADS)
        if after:
            self.assertGreater(fast, found["seen"]["200 v1 "] // 2)

    def test_short_connections(self):
        """They come and go in every way, and nothing of them stays."""
        attack("churn", 16, 2000)
        self.expect_no_flows()
        memory = [self.memory(pid) for pid in self.world.workers()]
        sockets = self.sockets()
        links = self.in_use("links")  # idle ones of the tests before are among them
        found = attack("churn", 16, SHORT_CONNECTIONS)
        self.assertEqual((found["wrong"], found["refused"], found["first"]), (0, 0, ""))
        self.expect_no_flows()
        now = [self.memory(pid) for pid in self.world.workers()]
        print(f"{found['connections']} short connections, {found['answers']} answers; workers {memory} -> {now} KiB; "
              f"sockets of workers {sockets} -> {self.sockets()}; links in use {self.in_use('links')}", flush=True)
        for before, after in zip(memory, now):
            self.assertLess(after - before, 4096)
        # To servers: idle ones of the pool and of the fast path, for at most so many clients at a time.
        self.assertLess(self.sockets(), sockets + 16 * 3 * 2)
        self.assertLessEqual(self.in_use("links"), links + 16 * 3 * 2)
        if LONG:
            time.sleep(IDLE_SECONDS + 5)  # what is idle for so long is closed
            self.assertEqual(self.in_use("links"), 0)
            eventually(self, lambda: self.world.servers.statistics()["open"] == 0, "no connection to a server is open")

    @staticmethod
    def memory(pid):
        return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text()).group(1))

    def sockets(self):
        count = 0
        for pid in self.world.workers():
            for entry in pathlib.Path(f"/proc/{pid}/fd").iterdir():
                try:
                    count += os.readlink(entry).startswith("socket:")
                except OSError:
                    pass  # closed meanwhile
        return count

    def test_many_clients_on_bounded_servers(self):
        """More clients than connections may be kept to the servers: all are served."""
        found = attack("load", 200, 3, "balanced")
        print(f"200 clients: {found['answers']} answers, slowest {found['slowest']} s", flush=True)
        self.assertEqual((found["wrong"], found["failed"], found["refused"], found["first"]), (0, 0, 0, ""))
        self.assertEqual({key.split()[0] for key in found["seen"]}, {"200", "204"})


if __name__ == "__main__":
    unittest.main()
