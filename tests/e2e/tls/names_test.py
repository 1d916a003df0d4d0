"""Real TLS through a mesh that never terminates it: which server answers, by the name that the client asks for."""
import pathlib
import subprocess
import tempfile
import time
import unittest

from world import ADDRESSES, TIMEOUT, RawServer, World, read_to_end
from hello import hello

NAMES = ("a.example", "b.example")


def certificate(folder, name):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}", "-addext",
                    f"subjectAltName=DNS:{name},DNS:www.{name}", "-keyout", folder / f"{name}.key", "-out", folder / f"{name}.pem"],
                   check=True, capture_output=True)


def tls_server(folder, name, host):
    """`openssl s_server` with the certificate of `name`, which answers requests of HTTP; the process and its port."""
    process = subprocess.Popen(
        ["openssl", "s_server", "-accept", f"{host}:0", "-www", "-cert", folder / f"{name}.pem", "-key", folder / f"{name}.key"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    for line in process.stdout:
        if line.startswith("ACCEPT "):
            return process, int(line.rsplit(":", 1)[1])
    raise AssertionError("openssl s_server does not start")


POLICY = """
mesh test {{ trust_domain "test.example" }}
identity web = spiffe "ns/test/sa/web"
identity foe = spiffe "ns/test/sa/foe"
workload web {{ cgroup "web.service" identity web }}
workload foe {{ cgroup "foe.service" identity foe }}
service gate {{
  address   10.96.7.1:443, [fd00:7::1]:443
  protocol  {protocol}
  transport plaintext
  subset a where server is "a"  subset b where server is "b"  subset raw where server is "raw"  subset dead where server is "dead"
  endpoint 127.0.0.1:{a} {{ server "a" }}
  endpoint [::1]:{b} {{ server "b" }}
  endpoint 127.0.0.1:{raw} {{ server "raw" }}
  endpoint 127.0.0.1:{dead} {{ server "dead" }}
}}
service small {{
  address   10.96.7.2:443
  protocol  tls
  transport plaintext
  at_most   1 connections
  endpoint 127.0.0.1:{small}
}}
service few {{
  address   10.96.7.3:443
  protocol  tls
  transport plaintext
  endpoint 127.0.0.1:{few}
}}
service picky {{
  address   10.96.7.4:443
  protocol  tls
  transport plaintext
  eject     after 2 failures for 1h
  endpoint 127.0.0.1:{dead2}
  endpoint 127.0.0.1:{alive}
}}
access picky {{ allow from web }}
access small {{ allow from web }}
access few   {{ allow from web }}
limit l on few {{ rate 2/h burst 2  key address }}
access gate {{
  deny  from any when sni under "secret.example"
  {allow}
}}
"""
ROUTE = """
route gate {
  when sni in ["A.example", "www.a.example"] -> a
  when sni under "b.example"                 -> b
  when sni is "dead.example"                 -> dead
  otherwise                                  -> raw
}
"""


class Names(unittest.TestCase):
    workers = 1

    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.folder = pathlib.Path(cls.temporary.name)
        for name in NAMES:
            certificate(cls.folder, name)
        cls.servers = [tls_server(cls.folder, "a.example", "127.0.0.1"), tls_server(cls.folder, "b.example", "[::1]")]
        cls.raw, cls.small, cls.few, cls.alive = (RawServer(lambda peer: peer.sendall(peer.recv(1 << 16))) for _ in range(4))
        cls.small.serve = lambda peer: (peer.sendall(b"hello"), peer.recv(1 << 16), peer.recv(1))
        cls.dead = RawServer(lambda peer: None)
        cls.dead.close()
        cls.dead2 = RawServer(lambda peer: None)
        cls.dead2.close()
        cls.world = World(cls.text(), cls.workers)

    @classmethod
    def text(cls, protocol="tls", allow='allow from web\n  allow from foe when sni is "b.example"', route=ROUTE):
        return POLICY.format(protocol=protocol, allow=allow, a=cls.servers[0][1], b=cls.servers[1][1], raw=cls.raw.port,
                             dead=cls.dead.port, dead2=cls.dead2.port, alive=cls.alive.port, small=cls.small.port, few=cls.few.port) + route

    @classmethod
    def tearDownClass(cls):
        cls.world.close()
        for process, _ in cls.servers:
            process.kill()
            process.wait()
            process.stdout.close()
        for server in (cls.raw, cls.small, cls.few, cls.alive):
            server.close()
        cls.temporary.cleanup()

    def subject(self, name, to="4", workload="web"):
        """Whose certificate the client sees; None: the connection ends before."""
        host, port = ADDRESSES.get(to, to)
        names = ["-servername", name] if name else ["-noservername"]
        at = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        _, out, _ = self.world.run(workload, ["openssl", "s_client", "-connect", at, *names], b"")
        found = [line for line in out.decode(errors="replace").splitlines() if line.startswith("subject=")]
        return found[0].removeprefix("subject=").replace(" ", "").removeprefix("CN=") if found else None

    def ask(self, name, to="4", workload="web"):
        """What the server says to a ClientHello, and how it ends."""
        with self.world.connect(to, workload) as sock:
            sock.sendall(hello(name))
            return read_to_end(sock)

    def test_the_name_decides(self):
        for to in ("4", "6"):
            for name in ("a.example", "A.EXAMPLE", "www.a.example"):
                self.assertEqual(self.subject(name, to), "a.example", (name, to))
            for name in ("b.example", "x.y.b.example"):
                self.assertEqual(self.subject(name, to), "b.example", (name, to))

    def test_curl_believes_the_certificate(self):
        for host in ("10.96.7.1", "[fd00:7::1]"):
            for name in NAMES:
                code, status, _, body = self.world.curl("web", "--http1.0", "--cacert", str(self.folder / f"{name}.pem"), "--resolve",
                                                        f"{name}:443:{host}", f"https://{name}/")
                self.assertEqual((code, status) if code else (code, b"s_server" in body), (0, True), (name, host))

    def test_who_asks_decides(self):
        self.assertEqual(self.subject("b.example", workload="foe"), "b.example")
        before = self.world.decisions("access gate/default")
        self.assertIsNone(self.subject("a.example", workload="foe"))
        self.assertEqual(self.world.decisions("access gate/default"), before + 1)

    def test_a_refused_name(self):
        accepted = self.raw.accepted
        before = self.world.decisions("access gate/1")
        for name in (b"secret.example", b"x.SECRET.example"):
            self.assertEqual(self.ask(name), (b"", "closed"))
        self.assertIsNone(self.subject("secret.example"))
        self.assertEqual(self.world.decisions("access gate/1"), before + 3)
        self.assertEqual(self.raw.accepted, accepted)

    def test_no_name(self):
        sent = hello()
        with self.world.connect() as sock:
            sock.sendall(sent)
            self.assertEqual(sock.recv(1 << 16), sent)
        self.assertIsNone(self.subject(None, workload="foe"), "every test of it is false")

    def test_an_endpoint_that_was_dialled(self):
        b = ("::1", self.servers[1][1])
        self.assertEqual(self.subject("a.example", b), "b.example", "no route applies")
        self.assertIsNone(self.subject("secret.example", b), "access does")

    def test_an_endpoint_that_is_away(self):
        before = self.world.decisions("route gate/3")
        self.assertEqual(self.ask(b"dead.example"), (b"", "closed"))
        self.assertEqual(self.world.decisions("route gate/3"), before + 1)

    def test_who_fails_is_ejected(self):
        """No other endpoint is tried in its place; after two failures in a row it is left out."""
        answered = []
        for _ in range(10):
            answered.append(bool(self.ask(b"a", ("10.96.7.4", 443))[0]))
            time.sleep(0.1)
        # The end of a connection is reported within 10 ms, if the worker has its turn: until then the next one may go there, too.
        self.assertIn(answered.count(False), (2, 3), answered)
        self.assertEqual(answered[5:], [True] * 5)

    def greeted(self, to):
        """A connection that got through: the end of the one before is reported within 10 ms."""
        end = time.monotonic() + TIMEOUT
        while time.monotonic() < end:
            sock = self.world.connect(to)
            sock.sendall(hello(b"a"))
            if sock.recv(5) == b"hello":
                return sock
            sock.close()
        raise AssertionError("there never is room")

    def test_as_many_as_it_may_have(self):
        small = ("10.96.7.2", 443)
        for _ in range(2):
            with self.greeted(small) as first:
                before = self.world.decisions("service small/full")
                self.assertEqual(self.ask(b"a", small), (b"", "closed"))
                self.assertEqual(self.world.decisions("service small/full"), before + 1)
                first.sendall(b"x")
                self.assertEqual(read_to_end(first), (b"", "closed"))

    def test_limits_count_connections(self):
        few = ("10.96.7.3", 443)
        said = []
        for source in ("127.0.0.1", "127.0.0.2"):
            for _ in range(3):
                with self.world.connect(few, source=source) as sock:
                    sock.sendall(hello(b"a"))
                    said.append(bool(read_to_end(sock)[0]))
        self.assertEqual(said, [True, True, False] * 2)
        self.assertEqual(self.world.decisions("limit few/l"), 2)

    def test_reload(self):
        """An open connection keeps its endpoint; one whose service speaks something else by now is refused."""
        gone = RawServer(lambda peer: [peer.sendall(part) for part in iter(lambda: peer.recv(1 << 16), b"")])
        self.addCleanup(gone.close)
        old, self.raw.serve = self.raw.serve, gone.serve
        self.addCleanup(setattr, self.raw, "serve", old)
        self.addCleanup(lambda: self.world.reload(self.world.build(self.text())))
        sent = hello(b"x.example")
        with self.world.connect() as passing, self.world.connect() as half:
            passing.sendall(sent)
            self.assertEqual(passing.recv(1 << 16), sent)
            half.sendall(sent[:100])
            self.world.reload(self.world.build(self.text(allow="allow from foe")))
            passing.sendall(b"more")
            self.assertEqual(passing.recv(1 << 16), b"more")
            self.assertEqual(self.ask(b"x.example"), (b"", "closed"))
            self.world.reload(self.world.build(self.text("http", "allow from web", route="")
                                               .replace('deny  from any when sni under "secret.example"', "")))
            before = self.world.decisions("mesh/malformed")
            half.sendall(sent[100:])
            self.assertEqual(read_to_end(half), (b"", "closed"))
            self.assertEqual(self.world.decisions("mesh/malformed"), before + 1)
            passing.sendall(b"more")
            self.assertEqual(passing.recv(1 << 16), b"more")
            # And the other way round: what was dialled as HTTP is no name.
            with self.world.connect() as request:
                request.sendall(b"GET / HTTP/1.1\r\n")
                self.world.reload(self.world.build(self.text()))
                request.sendall(b"Host: x.example\r\n\r\n")
                got, _ = read_to_end(request)
                self.assertTrue(got.startswith(b"HTTP/1.1 400 "), got)
                self.assertIn(b"mesh/malformed", got)


class NamesByThreeWorkers(Names):
    workers = 3


if __name__ == "__main__":
    unittest.main()
