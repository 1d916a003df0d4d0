"""Who connects to a tcp service from where decides. A service that does not ask is decided in the kernel, as it ever was."""
import contextlib
import time
import unittest

from tcp_world import QUEUE, TIMEOUT, RawServer, World, echo, outcome, read_to_end

POLICY = """
mesh test {{ trust_domain "test.example" }}
identity web = spiffe "ns/test/sa/web"
identity foe = spiffe "ns/test/sa/foe"
workload web {{ cgroup "web.service" identity web }}
workload foe {{ cgroup "foe.service" identity foe }}
service queue {{
  address   10.96.8.1:5672, [fd00:8::1]:5672
  protocol  {protocol}
  transport plaintext
  subset a where server is "a"  subset b where server is "b"  subset raw where server is "raw"  subset dead where server is "dead"
  endpoint 127.0.0.1:{a} {{ server "a" }}
  endpoint 127.0.0.1:{b} {{ server "b" }}
  endpoint 127.0.0.1:{raw} {{ server "raw" }}
  endpoint 127.0.0.1:{dead} {{ server "dead" }}
}}
service small {{
  address   10.96.8.2:5672
  protocol  tcp
  transport plaintext
  balance   maglev by address
  at_most   1 connections
  endpoint 127.0.0.1:{raw2}
}}
service few {{
  address   10.96.8.3:5672
  protocol  tcp
  transport plaintext
  endpoint 127.0.0.1:{few}
}}
service picky {{
  address   10.96.8.4:5672
  protocol  tcp
  transport plaintext
  eject     after 2 failures for 1h
  endpoint 127.0.0.1:{dead2}
  endpoint 127.0.0.1:{alive}
}}
service spread {{
  address   10.96.8.5:5672
  protocol  tcp
  transport plaintext
  balance   maglev by address
  endpoint 127.0.0.1:{spread1}
  endpoint 127.0.0.1:{spread2}
}}
service plain {{
  address   10.96.8.6:5672
  protocol  tcp
  transport plaintext
  endpoint 127.0.0.1:{plain}
}}
access picky  {{ deny from any when address is 127.9.9.9  allow from web }}
access small  {{ allow from web }}
access spread {{ allow from web }}
access plain  {{ allow from web }}
access few    {{ allow from web }}
limit l on few {{ rate 2/h burst 2  key address }}
{queue}
"""
BY_ADDRESS = """
access queue { deny from any when address in [127.9.0.0/16, 2001:db8::/32]  allow from web }
route queue {
  when address in [127.2.0.0/16, ::1] -> b
  when address in [127.3.0.0/16]      -> raw
  when address in [127.4.0.0/16]      -> dead
  otherwise                           -> a
}
"""
BY_CALLER = """
access queue { allow from web }
route queue { otherwise -> raw }
"""
LABELS = ("a", "b", "few", "alive", "spread1", "spread2")


class Addresses(unittest.TestCase):
    workers = 1

    @classmethod
    def setUpClass(cls):
        cls.servers = {label: RawServer(lambda peer, label=label: peer.sendall(label.encode())) for label in LABELS}
        cls.peers = []
        for label in ("raw", "raw2", "plain"):
            cls.servers[label] = RawServer(cls.serve_raw)
        for label in ("dead", "dead2"):
            cls.servers[label] = RawServer(lambda peer: None)
            cls.servers[label].close()
        cls.world = World(cls.text(), cls.workers)

    @classmethod
    def serve_raw(cls, peer):
        """Says who it believes to talk to."""
        peer.sendall(f"{peer.getpeername()[1]:05}".encode())
        echo(peer)

    @classmethod
    def text(cls, queue=BY_ADDRESS, protocol="tcp"):
        ports = {label: server.port for label, server in cls.servers.items()}
        return POLICY.format(protocol=protocol, queue=queue, **ports)

    @classmethod
    def tearDownClass(cls):
        cls.world.close()
        for label, server in cls.servers.items():
            if not label.startswith("dead"):
                server.close()

    def ask(self, source=None, to=QUEUE["4"], workload="web"):
        return outcome(self.world, to, workload, source)

    def test_the_address_decides(self):
        self.assertEqual(self.ask(), (b"a", "closed"), "who does not care is 127.0.0.1")
        self.assertEqual(self.ask("127.1.255.255"), (b"a", "closed"))
        self.assertEqual(self.ask("127.2.0.1"), (b"b", "closed"))
        self.assertEqual(self.ask("::1", QUEUE["6"]), (b"b", "closed"))
        self.assertEqual(self.ask("::ffff:127.2.0.1", QUEUE["mapped"]), (b"b", "closed"))
        self.assertEqual(self.ask("::ffff:127.0.0.1", QUEUE["mapped"]), (b"a", "closed"))

    def test_denied(self):
        """Nothing of it reaches a server, and its end is no server's."""
        accepted = sum(server.accepted for server in self.servers.values())
        before = self.world.decisions("access queue/1")
        for to, source in (("4", "127.9.0.1"), ("mapped", "::ffff:127.9.0.1")):
            self.assertEqual(self.ask(source, QUEUE[to]), (b"", "reset"))
            with self.assertRaises((ConnectionResetError, BrokenPipeError)), self.world.connect(QUEUE[to], source=source) as sock:
                while True:
                    sock.sendall(b"let me in")
        self.assertEqual(self.world.decisions("access queue/1"), before + 4)
        before = self.world.decisions("access queue/default")
        self.assertEqual(self.ask(workload="foe"), (b"", "reset"))
        self.assertEqual(self.world.decisions("access queue/default"), before + 1)
        self.assertEqual(sum(server.accepted for server in self.servers.values()), accepted)

    def test_an_endpoint_that_was_dialled(self):
        a = ("127.0.0.1", self.servers["a"].port)
        self.assertEqual(self.ask("127.2.0.1", a), (b"a", "closed"), "no route applies")
        self.assertEqual(self.ask("127.9.0.1", a), (b"", "reset"), "access does")

    def test_an_endpoint_that_is_away(self):
        before = self.world.decisions("route queue/3")
        self.assertEqual(self.ask("127.4.0.1"), (b"", "reset"))
        self.assertEqual(self.world.decisions("route queue/3"), before + 1)

    def test_who_fails_is_ejected(self):
        answered = []
        for _ in range(10):
            answered.append(bool(self.ask(to=("10.96.8.4", 5672))[0]))
            time.sleep(0.1)
        # The end of a connection is reported within 10 ms, if the worker has its turn: until then the next one may go there, too.
        self.assertIn(answered.count(False), (2, 3), answered)
        self.assertEqual(answered[5:], [True] * 5)

    def greeted(self, to):
        """A connection that got through: the end of the one before is reported within 10 ms."""
        end = time.monotonic() + TIMEOUT
        while time.monotonic() < end:
            try:
                sock = self.world.connect(to)
            except ConnectionResetError:
                continue
            with contextlib.suppress(ConnectionResetError):
                if sock.recv(5):
                    return sock
            sock.close()
        raise AssertionError("there never is room")

    def test_as_many_as_it_may_have(self):
        small = ("10.96.8.2", 5672)
        for _ in range(2):
            with self.greeted(small) as first:
                before = self.world.decisions("service small/full")
                self.assertEqual(self.ask(to=small), (b"", "reset"))
                self.assertEqual(self.world.decisions("service small/full"), before + 1)
                first.sendall(b"x")
                self.assertEqual(first.recv(1), b"x")

    def test_limits_count_connections(self):
        few = ("10.96.8.3", 5672)
        said = [bool(self.ask(source, few)[0]) for source in ("127.0.0.1", "127.0.0.2") for _ in range(3)]
        self.assertEqual(said, [True, True, False] * 2)
        self.assertEqual((self.world.decisions("limit few/l"), self.world.decisions("route few/otherwise")), (2, 4))

    def test_one_address_goes_to_one_endpoint(self):
        found = set()
        for last in range(1, 33):
            said = {self.ask(f"127.0.5.{last}", ("10.96.8.5", 5672))[0] for _ in range(3)}
            self.assertEqual(len(said), 1, last)
            found |= said
        self.assertEqual(found, {b"spread1", b"spread2"})

    def is_direct(self, to, source=None):
        with self.world.connect(to, source=source) as sock:
            return int(sock.recv(5)) == sock.getsockname()[1]

    def test_who_does_not_ask_is_decided_in_connect(self):
        self.assertTrue(self.is_direct(("10.96.8.6", 5672)))
        self.assertFalse(self.is_direct(QUEUE["4"], "127.3.0.1"))
        with self.assertRaises(ConnectionRefusedError):
            self.world.connect(("10.96.8.6", 5672), "foe")

    def test_reload(self):
        """An open connection keeps its endpoint, however the next one is decided."""
        self.addCleanup(lambda: self.world.reload(self.world.build(self.text())))
        with self.world.connect(QUEUE["4"], source="127.3.0.1") as passing:
            self.assertNotEqual(int(passing.recv(5)), passing.getsockname()[1])
            self.world.reload(self.world.build(self.text(BY_ADDRESS.replace("127.9.0.0/16", "127.3.0.0/16"))))
            passing.sendall(b"more")
            self.assertEqual(passing.recv(4), b"more")
            self.assertEqual(self.ask("127.3.0.1"), (b"", "reset"))
            self.assertEqual(self.ask("127.9.0.1"), (b"a", "closed"))
            self.world.reload(self.world.build(self.text(BY_CALLER)))
            self.assertTrue(self.is_direct(QUEUE["4"]))
            passing.sendall(b"more")
            self.assertEqual(passing.recv(4), b"more")
            with self.world.connect(QUEUE["4"]) as direct:
                direct.recv(5)
                self.world.reload(self.world.build(self.text()))
                self.assertEqual(self.ask("127.9.0.1"), (b"", "reset"))
                self.assertFalse(self.is_direct(QUEUE["4"], "127.3.0.1"))
                direct.sendall(b"more")
                self.assertEqual(direct.recv(4), b"more")
            # What was dialled as HTTP is no connection of which nothing is read.
            self.world.reload(self.world.build(self.text(BY_CALLER, "http")))
            with self.world.connect(QUEUE["4"]) as request:
                request.sendall(b"GET / HTTP/1.1\r\n")
                self.world.reload(self.world.build(self.text()))
                request.sendall(b"Host: x.example\r\n\r\n")
                got, _ = read_to_end(request)
                self.assertTrue(got.startswith(b"HTTP/1.1 400 "), got)
                self.assertIn(b"mesh/malformed", got)
            passing.sendall(b"more")
            self.assertEqual(passing.recv(4), b"more")


class AddressesByThreeWorkers(Addresses):
    workers = 3


if __name__ == "__main__":
    unittest.main()
