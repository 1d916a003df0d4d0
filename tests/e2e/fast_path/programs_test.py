"""Real programs over the fast path: as clients of the checking servers, and as servers of a client that looks at everything.

One argument chooses a part: curl, python, node, java, go, nginx, apache. A program that is not there is said loudly."""
import json
import os
import pathlib
import random
import re
import shutil
import socket
import subprocess
import sys
import time
import unittest

from pattern import digest, pattern
from wire import Client, expect_answer
from world import TIMEOUT, Excuse, World, first_requests, policy

PROGRAMS = pathlib.Path(__file__).parent / "programs"
BUILD = pathlib.Path(os.environ["HEDDLE_BUILD_DIR"])
PEERS = pathlib.Path(os.environ["HEDDLE_SOURCE_DIR"]) / "build" / "peers"
URL = "http://10.96.7.1"
REQUESTS, CONCURRENCY = 100, 8
MB = 1 << 20


def missing(test, what):
    """A skip that nobody overlooks; where CI=true it is a failure."""
    text = f"{what} IS NOT ON THIS MACHINE: `./dev deps` installs or unpacks it"
    print(f"### {test.id()}: {text} ###", flush=True)
    if os.environ.get("CI") == "true":
        raise AssertionError(text)
    test.skipTest(text)


def run(command, **options):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, errors="replace", timeout=TIMEOUT * 4, **options)
    if done.returncode != 0:
        raise AssertionError(f"{command}: {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


def compiled(name, go="go"):
    """Where the program of programs/NAME lies, compiled once."""
    folder = BUILD / "tests" / "programs"
    if go != "go":
        folder /= "old-go"
    folder.mkdir(parents=True, exist_ok=True)
    source = PROGRAMS / name
    if name.endswith(".go"):
        target = folder / "peer"
        command = [str(go), "build", "-o", str(target), str(source)]
    else:
        target = folder / f"{source.stem}.class"
        command = ["javac", "-d", str(folder), str(source)]
    if not target.exists() or target.stat().st_mtime < source.stat().st_mtime:
        run(command, env={**os.environ, "GOCACHE": str(folder / "go-cache"), "GOFLAGS": "-mod=mod", "GO111MODULE": "off"})
    return target


def free_port():
    while True:
        port = random.randrange(12_000, 32_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


def body_apart(client):
    """It sends head and body of a POST, a quarter of its requests, in two writes: both are the handler's."""
    posts = REQUESTS * CONCURRENCY // 4
    return [Excuse("not_whole", f"{client} sends a body in a second write", posts), Excuse("unread", "that second write", posts),
            Excuse("not_armed", "or that second write, when the handler has the first", posts)]


class Clients(unittest.TestCase):
    """Against the checking servers: whole requests, right answers, and almost all of it in the kernel."""

    @classmethod
    def setUpClass(cls):
        cls.world = World()

    @classmethod
    def tearDownClass(cls):
        cls.world.close()

    def tearDown(self):
        self.world.expect_checked(self)

    def run_client(self, command, *excuses):
        before = self.world.servers.statistics()["requests"]
        with self.world.on_fast_path(self, *excuses, *first_requests(CONCURRENCY, 2)):
            found = json.loads(run([*command, URL, REQUESTS, CONCURRENCY]))
        self.assertEqual(found["answers"], REQUESTS * CONCURRENCY)
        self.assertEqual(self.world.servers.statistics()["requests"] - before, REQUESTS * CONCURRENCY)


class Curl(Clients):
    def test_curl_keeps_its_connection(self):
        with self.world.on_fast_path(self, *first_requests(1, 2)):
            urls = [f"{URL}/v{1 + i % 2}/size/{i * 10}/curl{i}" for i in range(200)]
            done = subprocess.run(["curl", "-sSf", *urls], capture_output=True, check=True)
        self.assertEqual(done.stdout, b"".join(pattern(i * 10) for i in range(200)))

    def test_curl_posts_and_large_bodies(self):
        body = pattern(1000)
        for i in range(10):
            done = subprocess.run(["curl", "-sSf", "-H", "Expect:", "--data-binary", "@-", f"{URL}/v1/echo/{i}"], input=body, capture_output=True)
            self.assertEqual((done.returncode, done.stdout), (0, f"v1 POST /v1/echo/{i}\n".encode()))
        done = subprocess.run(["curl", "-sSf", f"{URL}/v1/echo/a", "-o", "/dev/null", "--next", "-sSf", f"{URL}/v1/size/{20 * MB}/large"],
                              capture_output=True, check=True)
        self.assertEqual(digest(done.stdout), digest(pattern(20 * MB)))
        upload = pattern(20 * MB)
        done = subprocess.run(["curl", "-sSf", "-T", "-", f"{URL}/v1/echo/upload"], input=upload, capture_output=True)
        self.assertEqual((done.returncode, done.stdout), (0, b"v1 PUT /v1/echo/upload\n"))

    def test_wrk(self):
        for path in ("/v1/echo/wrk", "/v1/size/65536/wrk", "/any/echo/wrk"):
            with self.world.on_fast_path(self, *first_requests(32, 3)):
                out = run(["wrk", "-t2", "-c32", "-d2s", URL + path])
            self.assertNotIn("Socket errors", out)
            self.assertNotIn("Non-2xx", out)
            self.assertGreater(int(re.search(r"(\d+) requests in", out).group(1)), 100)

    def test_h2load(self):
        if not shutil.which("h2load"):
            missing(self, "h2load")
        for path in ("/v1/echo/h2load", "/v2/size/65536/h2load"):
            with self.world.on_fast_path(self, *first_requests(16)):
                # Enough for each client's first requests, until it has a link, to be few.
                out = run(["h2load", "--h1", "-n20000", "-c16", "-m1", URL + path])
            self.assertRegex(out, r"20000 succeeded, 0 failed, 0 errored, 0 timeout")
        # Pipelined, as h2load does it with -m.
        out = run(["h2load", "--h1", "-n4000", "-c8", "-m8", URL + "/v1/size/1000/pipelined"])
        self.assertRegex(out, r"4000 succeeded, 0 failed, 0 errored, 0 timeout")


class Python(Clients):
    def test_http_client(self):
        self.run_client([sys.executable, PROGRAMS / "client.py", "http"], *body_apart("http.client"))

    def test_asyncio(self):
        self.run_client([sys.executable, PROGRAMS / "client.py", "asyncio"])


class Node(Clients):
    def test_agent(self):
        if not shutil.which("node"):
            missing(self, "node")
        self.run_client(["node", PROGRAMS / "client.js"])


class Java(Clients):
    def test_http_client(self):
        if not shutil.which("javac"):
            missing(self, "javac")
        place = compiled("Client.java").parent
        self.run_client(["java", "-cp", place, "Client"], *body_apart("HttpClient"))


def current_go(test):
    """At least 1.24: its listeners are Multipath TCP's."""
    if not shutil.which("go"):
        missing(test, "go")
    version = run(["go", "version"])
    test.assertGreaterEqual(tuple(map(int, re.search(r"go(\d+)\.(\d+)", version).groups())), (1, 24), version)
    return compiled("peer.go")


def old_go(test):
    """Debian's."""
    go = PEERS / "golang-1.19-go" / "usr" / "lib" / "go-1.19" / "bin" / "go"
    if not go.exists():
        missing(test, "golang-1.19-go")
    return compiled("peer.go", go)


class Go(Clients):
    program = staticmethod(current_go)

    def test_net_http(self):
        self.run_client([self.program(self), "client"])


class OldGo(Go):
    program = staticmethod(old_go)


class ServersOfPrograms(unittest.TestCase):
    """One server program as endpoint v1; a checking server is v2."""

    def world_with(self, start):
        """`start(world, port)` starts it as a process of server.service that says `ready`, or listens."""
        port = free_port()
        self.processes = []

        def text(world):
            process = start(world, port)
            self.processes.append(process)
            self.wait_for(port)
            world.endpoints = ("v2=127.0.0.1:0",)
            world.start_servers()
            addresses = [f"127.0.0.1:{port}", f"127.0.0.1:{world.servers.ports['v2']}"]
            return policy(addresses, access="allow from web", route='route echo {\n  when path under "/v2" -> v2\n  otherwise -> v1\n}')

        self.world = World(text=text)

    @staticmethod
    def wait_for(port):
        end = time.monotonic() + TIMEOUT
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return
            if time.monotonic() > end:
                raise AssertionError("the server does not listen")
            time.sleep(0.05)

    def tearDown(self):
        for process in getattr(self, "processes", []):
            process.terminate()
            process.wait(TIMEOUT)
            if process.stdout:
                process.stdout.close()
        if hasattr(self, "world"):
            self.world.close()

    def run_requests(self, prefix, rounds=200):
        """Keep-alive with a large body now and then, in turns with the other server."""
        with self.world.on_fast_path(self, *first_requests(1, 2)), Client() as client:
            for i in range(rounds):
                for size in (100, 0, 1000, 65536, *((20 * MB,) if i % 50 == 20 else ())):
                    target = f"/{prefix}/size/{size}"
                    response = client.get(target)
                    self.assertEqual((response.status, response.x_target), (200, target))
                    self.assertEqual(digest(response.body), digest(pattern(size)))
                response = client.ask("POST", f"/{prefix}/echo", body=pattern(300))
                self.assertEqual((response.status, response.body), (200, b"300"))
                if i % 10 == 5:
                    target = f"/{prefix}/chunked/30000"
                    response = client.get(target)
                    self.assertEqual((response.status, response.x_target, response.body), (200, target, pattern(30000)))
                    expect_answer(self, client.get(f"/v2/echo/{i}"), f"/v2/echo/{i}", "v2")

    def run_load(self, path):
        out = run(["wrk", "-t2", "-c32", "-d2s", URL + path])
        self.assertNotIn("Socket errors", out)
        self.assertNotIn("Non-2xx", out)
        self.assertGreater(int(re.search(r"(\d+) requests in", out).group(1)), 100)


class NodeServer(ServersOfPrograms):
    def test_http(self):
        if not shutil.which("node"):
            missing(self, "node")
        self.world_with(lambda world, port: world.popen("server", ["node", PROGRAMS / "server.js", str(port)], stdout=subprocess.PIPE))
        self.run_requests("node")
        self.run_load("/node/size/1000")


class JavaServer(ServersOfPrograms):
    def test_http_server(self):
        if not shutil.which("javac"):
            missing(self, "javac")
        place = compiled("Server.java").parent
        self.world_with(lambda world, port: world.popen("server", ["java", "-cp", place, "Server", str(port)], stdout=subprocess.PIPE))
        self.run_requests("java", 100)
        self.run_load("/java/size/1000")


class GoServer(ServersOfPrograms):
    program = staticmethod(current_go)

    def test_net_http(self):
        program = self.program(self)
        self.world_with(lambda world, port: world.popen("server", [program, "server", str(port)], stdout=subprocess.PIPE))
        self.run_requests("go")
        self.run_load("/go/size/1000")


class OldGoServer(GoServer):
    program = staticmethod(old_go)


class FileServer(ServersOfPrograms):
    """Servers of files, with sendfile."""

    SIZES = (0, 1, 100, 1000, 65536, 300_000, 20 * MB)

    def files(self, world):
        folder = world.folder / "files" / "v1"
        folder.mkdir(parents=True)
        world.folder.chmod(0o755)
        for size in self.SIZES:
            (folder / str(size)).write_bytes(pattern(size))
        return folder.parent

    def run_files(self):
        with self.world.on_fast_path(self, *first_requests(1, 2)), Client() as client:
            for i in range(300):
                size = self.SIZES[i % (7 if i % 49 == 6 else 6)]
                method = "HEAD" if i % 11 == 3 else "GET"
                response = client.ask(method, f"/v1/{size}")
                # A response to HEAD need not say a length; Apache does not for an empty file.
                silent = method == "HEAD" and size == 0 and response.content_length is None
                self.assertEqual((response.status, "0" if silent else response.content_length), (200, str(size)))
                if method == "GET":
                    self.assertEqual(digest(response.body), digest(pattern(size)))
                if i % 7 == 0:
                    self.assertEqual(client.get("/v1/not-there").status, 404)
                    self.assertEqual(client.get(f"/v1/{size}", f"If-None-Match: {response.etag}").status, 304)
                    ranged = client.get("/v1/65536", "Range: bytes=10-500")
                    self.assertEqual((ranged.status, ranged.body), (206, pattern(65536)[10:501]))
                    expect_answer(self, client.get(f"/v2/echo/{i}"), f"/v2/echo/{i}", "v2")
        self.run_load("/v1/65536")


class Nginx(FileServer):
    def test_files(self):
        if not (PEERS / "bin" / "nginx").exists():
            missing(self, "nginx")

        def start(world, port):
            root = self.files(world)
            config = world.folder / "nginx.conf"
            config.write_text(f"daemon off; master_process off; error_log {world.folder}/nginx.log; pid {world.folder}/nginx.pid;\n"
                              "events { worker_connections 1024; }\n"
                              f"http {{ access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000;\n"
                              + "".join(f"  {kind}_temp_path {world.folder}/temp;\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
                              + f"  server {{ listen 127.0.0.1:{port}; root {root}; etag on; }} }}\n")
            return world.popen("server", [PEERS / "bin" / "nginx", "-p", str(world.folder), "-c", str(config)])

        self.world_with(start)
        self.run_files()


class Apache(FileServer):
    def test_files(self):
        program = PEERS / "bin" / "apache2"
        modules = PEERS / "apache2" / "usr" / "lib" / "apache2" / "modules"
        if not program.exists():
            missing(self, "apache2")

        def start(world, port):
            root = self.files(world)
            config = world.folder / "apache.conf"
            load = "".join(f"LoadModule {name}_module {modules}/mod_{name}.so\n" for name in ("mpm_event", "authz_core"))
            config.write_text(f"{load}AcceptFilter http none\nServerName echo\nServerRoot {world.folder}\nPidFile {world.folder}/apache.pid\nListen 127.0.0.1:{port}\n"
                              f"DefaultRuntimeDir {world.folder}\nErrorLog {world.folder}/apache.log\nDocumentRoot {root}\nEnableSendfile on\n"
                              "KeepAlive on\nMaxKeepAliveRequests 0\nKeepAliveTimeout 60\nThreadLimit 128\nThreadsPerChild 128\nMaxRequestWorkers 128\n"
                              f"<Directory {root}>\n  Require all granted\n</Directory>\n")
            return world.popen("server", [program, "-X", "-f", str(config)])

        self.world_with(start)
        self.run_files()


PARTS = {"curl": [Curl], "python": [Python], "node": [Node, NodeServer], "java": [Java, JavaServer], "go": [Go, GoServer], "old_go": [OldGo, OldGoServer],
         "nginx": [Nginx], "apache": [Apache]}


# A part is the last argument, before unittest takes what it knows of them.
CHOSEN = [sys.argv.pop()] if sys.argv[-1] in PARTS else list(PARTS)


def load_tests(loader, _, __):
    return unittest.TestSuite(loader.loadTestsFromTestCase(each) for part in CHOSEN for each in PARTS[part])


if __name__ == "__main__":
    result = unittest.main(exit=False).result
    sys.exit(1 if not result.wasSuccessful() else 77 if result.skipped else 0)
