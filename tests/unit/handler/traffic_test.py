"""The handler's data path over real loopback sockets: raw clients and raw servers, byte by byte where it matters.

Talks to `handler_harness`, which is the worker's engine with a policy in the same process (fake_decider.h)."""
import hashlib
import os
import re
import socket
import struct
import subprocess
import sys
import threading
import time
import unittest

BUILD = os.environ.get("HEDDLE_BUILD_DIR") or sys.exit("HEDDLE_BUILD_DIR is not set")
HARNESS = os.path.join(BUILD, "tests", "bin", "handler_harness")
TIMEOUT = 20
MB = 1024 * 1024


class Harness:
    """A running harness; its standard input takes commands."""

    def __init__(self):
        self.process = subprocess.Popen([HARNESS, "0"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline())

    def say(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def stats(self):
        return {k: int(v) for k, v in re.findall(r"(\w+)=(\d+)", self.say("stats"))}

    def events(self):
        """(status, verdict, flags, bytes in, bytes out) of what ended since the last call."""
        return [tuple(int(n) for n in e.split(":")) for e in self.say("events").split()]

    def wait_events(self, count):
        seen = []
        end = time.monotonic() + TIMEOUT
        while len(seen) < count:
            if time.monotonic() > end:
                raise AssertionError(f"{len(seen)} events of {count}: {seen}")
            seen += self.events()
        return seen

    def wait_stats(self, condition):
        end = time.monotonic() + TIMEOUT
        while True:
            stats = self.stats()
            if condition(stats):
                return stats
            if time.monotonic() > end:
                raise AssertionError(f"never: {stats}")

    def memory_kib(self):
        with open(f"/proc/{self.process.pid}/status") as status:
            return int(re.search(r"VmRSS:\s+(\d+)", status.read()).group(1))

    def close(self):
        self.process.stdin.close()
        code = self.process.wait(TIMEOUT)
        self.process.stdout.close()
        return code


class Server:
    """Serves each connection with `script(connection)` in a thread of its own."""

    def __init__(self, script, family=socket.AF_INET):
        self.script = script
        self.listener = socket.socket(family)
        self.listener.bind(("127.0.0.1" if family == socket.AF_INET else "::1", 0))
        self.listener.listen(256)
        self.port = self.listener.getsockname()[1]
        self.accepted = 0
        self.received = []  # request heads
        self.failures = []
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.accepted += 1
            connection.settimeout(TIMEOUT)
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        try:
            self.script(self, Peer(connection))
        except (ConnectionError, EOFError, socket.timeout):
            pass
        except Exception as failure:  # shown by the test
            self.failures.append(failure)
        finally:
            connection.close()

    def close(self):
        self.listener.close()


class Peer:
    """A socket with a buffer."""

    def __init__(self, connection):
        self.socket = connection
        self.buffer = b""

    def send(self, data):
        self.socket.sendall(data)

    def fill(self):
        data = self.socket.recv(65536)
        if not data:
            raise EOFError(self.buffer)
        self.buffer += data

    def read_until(self, mark):
        while mark not in self.buffer:
            self.fill()
        head, _, self.buffer = self.buffer.partition(mark)
        return head + mark

    def read_exactly(self, count):
        while len(self.buffer) < count:
            self.fill()
        data, self.buffer = self.buffer[:count], self.buffer[count:]
        return data

    def read_chunked(self):
        """Content and raw bytes, trailers included in the latter."""
        content = raw = b""
        while True:
            line = self.read_until(b"\r\n")
            raw += line
            size = int(line.split(b";")[0], 16)
            if size == 0:
                while True:
                    line = self.read_until(b"\r\n")
                    raw += line
                    if line == b"\r\n":
                        return content, raw
            piece = self.read_exactly(size + 2)
            raw += piece
            content += piece[:-2]

    def read_to_end(self):
        try:
            while True:
                self.fill()
        except EOFError:
            data, self.buffer = self.buffer, b""
            return data

    def read_request(self):
        """Head and body."""
        head = self.read_until(b"\r\n\r\n")
        length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
        if length:
            return head, self.read_exactly(int(length.group(1)))
        if re.search(rb"(?i)\r\ntransfer-encoding: *chunked", head):
            return head, self.read_chunked()[0]
        return head, b""

    def read_response(self, to="GET"):
        head = self.read_until(b"\r\n\r\n")
        status = int(head.split(b" ")[1])
        if to == "HEAD" or status in (204, 304) or status < 200:
            return Response(status, head, b"")
        length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
        if length:
            return Response(status, head, self.read_exactly(int(length.group(1))))
        if re.search(rb"(?i)\r\ntransfer-encoding: *chunked", head):
            return Response(status, head, self.read_chunked()[0])
        return Response(status, head, self.read_to_end())

    def ended(self):
        """True: the other side ended properly and sent nothing more; raises on a reset."""
        return self.read_to_end() == b""


class Response:
    def __init__(self, status, head, body):
        self.status, self.head, self.body = status, head, body

    def field(self, name):
        found = re.search(rb"(?i)\r\n" + name.encode() + rb": *([^\r]*)", self.head)
        return found.group(1).decode() if found else None


def echo(server, peer):
    """Answers every request with its own head and body, until the client ends."""
    while True:
        head, body = peer.read_request()
        server.received.append(head)
        answer = head + body
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nServer: echo\r\n\r\n" % len(answer))
        if not head.startswith(b"HEAD "):
            peer.send(answer)


def answering(answer, close=True):
    """A server that answers each request with these bytes."""

    def script(server, peer):
        while True:
            head, _ = peer.read_request()
            server.received.append(head)
            peer.send(answer)
            if close:
                return

    return script


def resets(peer):
    peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.socket.close()


class Traffic(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.harness = Harness()

    @classmethod
    def tearDownClass(cls):
        code = cls.harness.close()
        assert code == 0, f"the harness ended with {code}"

    def setUp(self):
        self.servers = []
        self.peers = []

    def tearDown(self):
        for server in self.servers:
            server.close()
            self.assertEqual(server.failures, [])
        for peer in self.peers:
            peer.socket.close()

    def server(self, script, **options):
        server = Server(script, **options)
        self.servers.append(server)
        return server

    def client(self, receive_buffer=None):
        connection = socket.socket()
        if receive_buffer:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        connection.connect(("127.0.0.1", self.harness.port))
        connection.settimeout(TIMEOUT)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        peer = Peer(connection)
        self.peers.append(peer)
        return peer

    def ask(self, request, to="GET"):
        peer = self.client()
        peer.send(request)
        return peer.read_response(to)


def get(path, *fields, version="1.1"):
    return request("GET", path, *fields, version=version)


def request(method, path, *fields, version="1.1", body=b""):
    lines = [f"{method} {path} HTTP/{version}", "Host: echo", *fields]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class Decisions(Traffic):
    def test_answers_of_the_mesh(self):
        for path, status, rule, body in (
                ("/respond", 200, "route echo/2", b"hello\n"),
                ("/deny", 403, "access echo/default", b"`access echo/default`"),
                ("/unhealthy", 503, "service echo/unhealthy", b""),
                ("/refuse", 400, "mesh/path", b"`mesh/path`")):
            response = self.ask(get(path))
            self.assertEqual(response.status, status)
            self.assertEqual(response.field("x-heddle-rule"), rule)
            self.assertIn(body, response.body)

    def test_keep_alive_after_an_answer_but_not_after_a_refusal(self):
        peer = self.client()
        for path in ("/respond", "/deny", "/unhealthy", "/respond"):
            peer.send(get(path))
            self.assertIsNone(peer.read_response().field("connection"))
        peer.send(get("/refuse"))
        self.assertEqual(peer.read_response().field("connection"), "close")
        self.assertTrue(peer.ended())

    def test_outside_closes(self):
        peer = self.client()
        peer.send(get("/outside"))
        self.assertTrue(peer.ended())

    def test_nobody_of_the_mesh_is_closed(self):
        self.harness.say("unknown")
        try:
            peer = self.client()
            try:
                peer.send(get("/respond"))
                self.assertTrue(peer.ended())
            except ConnectionError:
                pass
        finally:
            self.harness.say("known")

    def test_a_failing_decision_forwards_nothing(self):
        server = self.server(echo)
        self.harness.say("fail")
        try:
            response = self.ask(get(f"/to/{server.port}/"))
            self.assertEqual(response.status, 503)
            self.assertEqual(response.field("connection"), "close")
        finally:
            self.harness.say("work")
        self.assertEqual(server.accepted, 0)

    def test_the_next_request_of_an_open_connection_meets_the_new_policy(self):
        server = self.server(echo)
        peer = self.client()
        peer.send(get(f"/to/{server.port}/"))
        self.assertEqual(peer.read_response().status, 200)
        self.harness.say("deny")
        try:
            peer.send(get(f"/to/{server.port}/"))
            self.assertEqual(peer.read_response().status, 403)
        finally:
            self.harness.say("allow")
        peer.send(get(f"/to/{server.port}/"))
        self.assertEqual(peer.read_response().status, 200)

    def test_a_body_longer_than_any_buffer(self):
        for head in (get("/big"), get("/big", "Connection: close")):
            response = self.ask(head)
            self.assertEqual(response.body, b"b" * 300_000)

    def test_head_of_an_answer(self):
        peer = self.client()
        peer.send(request("HEAD", "/respond") + get("/respond"))
        response = peer.read_response("HEAD")
        self.assertEqual(response.field("content-length"), "6")
        self.assertEqual(peer.read_response().body, b"hello\n")

    def test_denied_with_a_body(self):
        peer = self.client()
        peer.send(request("POST", "/deny", "Content-Length: 5", body=b"hello"))
        self.assertIsNone(peer.read_response().field("connection"))
        peer.send(request("POST", "/deny", "Transfer-Encoding: chunked", body=b"2\r\nab\r\n0\r\n\r\n") + get("/respond"))
        self.assertEqual(peer.read_response().status, 403)
        self.assertEqual(peer.read_response().status, 200)

    def test_denied_while_a_body_is_under_way(self):
        peer = self.client()
        peer.send(request("POST", "/deny", f"Content-Length: {4 * MB}"))
        sender = threading.Thread(target=self.send_quietly, args=(peer, b"x" * (4 * MB)))
        sender.start()
        response = peer.read_response()
        self.assertEqual((response.status, response.field("connection")), (403, "close"))
        sender.join()

    @staticmethod
    def send_quietly(peer, data):
        try:
            peer.send(data)
        except ConnectionError:
            pass

    def test_events(self):
        server = self.server(echo)
        self.harness.say("events")
        peer = self.client()
        first = get(f"/to/{server.port}/")
        peer.send(first)
        size = len(peer.read_response().head) + len(first)
        second = request("POST", "/deny", "Content-Length: 3", body=b"abc")
        peer.send(second)
        denied = peer.read_response()
        events = self.harness.wait_events(2)
        self.assertEqual(events[0], (200, 1, 0, len(first), size))
        self.assertEqual(events[1], (403, 3, 0, len(second), len(denied.head) + len(denied.body)))

    def test_one_call_for_the_heads_of_a_round(self):
        before = self.harness.stats()
        peers = [self.client() for _ in range(64)]
        self.harness.wait_stats(lambda s: s["connections"] >= before["connections"] + 64)
        # The harness is stopped while the heads arrive, so that all are ready in one round.
        self.harness.process.send_signal(19)
        for peer in peers:
            peer.send(get("/respond"))
        before_calls = before["calls"]
        self.harness.process.send_signal(18)
        for peer in peers:
            self.assertEqual(peer.read_response().status, 200)
        after = self.harness.stats()
        self.assertEqual(after["requests"] - before["requests"], 64)
        self.assertLessEqual(after["calls"] - before_calls, 4)  # events of before and after may take calls of their own
        self.assertEqual(after["most"], 64)


class Forwarding(Traffic):
    def test_passes_on_as_received(self):
        server = self.server(echo)
        head = f"GET /to/{server.port}/a?b=%20c HTTP/1.1\r\nhOsT: echo\r\nX-Odd:  a  b \r\nX-Odd: 2\r\n\r\n".encode()
        response = self.ask(head)
        self.assertEqual(response.body, head)
        self.assertIsNone(response.field("x-heddle-rule"))

    def test_ipv6(self):
        server = self.server(echo, family=socket.AF_INET6)
        self.assertEqual(self.ask(get(f"/to6/{server.port}/")).status, 200)

    def test_hop_by_hop_fields_end_here(self):
        server = self.server(echo)
        response = self.ask(get(f"/to/{server.port}/", "Connection: keep-alive, X-Hop, Upgrade", "Keep-Alive: 5",
                                "X-Hop: 1", "TE: trailers", "Proxy-Connection: x", "Upgrade: h2c", "X-Stays: 1"))
        self.assertEqual(response.body, get(f"/to/{server.port}/", "X-Stays: 1"))

    def test_absolute_form(self):
        server = self.server(echo)
        for target, path in ((f"http://echo/to/{server.port}/x", f"/to/{server.port}/x"),):
            self.assertEqual(self.ask(get(target)).body, get(path))

    def test_response_fields(self):
        server = self.server(answering(b"HTTP/1.1 200 Fine\r\nConnection: X-Hop, keep-alive\r\nX-Hop: 1\r\nA: b\r\n"
                                       b"Keep-Alive: 1\r\nx-heddle-rule: fake\r\nContent-Length: 2\r\n\r\nok"))
        response = self.ask(get(f"/to/{server.port}/"))
        self.assertEqual(response.head, b"HTTP/1.1 200 Fine\r\nA: b\r\nContent-Length: 2\r\n\r\n")

    def test_keep_alive_on_both_sides(self):
        server = self.server(echo)
        peer = self.client()
        for _ in range(50):
            peer.send(get(f"/to/{server.port}/"))
            self.assertEqual(peer.read_response().status, 200)
        self.assertEqual(server.accepted, 1)
        other = self.client()
        other.send(get(f"/to/{server.port}/"))
        self.assertEqual(other.read_response().status, 200)
        self.assertEqual(server.accepted, 1)

    def test_close_from_the_client_keeps_the_server(self):
        server = self.server(echo)
        for _ in range(5):
            peer = self.client()
            peer.send(get(f"/to/{server.port}/", "Connection: close"))
            self.assertEqual(peer.read_response().field("connection"), "close")
            self.assertTrue(peer.ended())
        self.assertEqual(server.accepted, 1)

    def test_close_from_the_server_keeps_the_client(self):
        server = self.server(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"))
        peer = self.client()
        for _ in range(5):
            peer.send(get(f"/to/{server.port}/"))
            response = peer.read_response()
            self.assertEqual((response.body, response.field("connection")), (b"ok", None))
        self.assertEqual(server.accepted, 5)

    def test_a_server_that_closes_without_a_word(self):
        server = self.server(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"))
        peer = self.client()
        for i in range(20):
            peer.send(get(f"/to/{server.port}/{i}"))
            self.assertEqual(peer.read_response().body, b"ok")

    def test_pipelined_in_order(self):
        server = self.server(echo)
        peer = self.client()
        paths = [f"/to/{server.port}/{i}" if i % 3 else "/respond" for i in range(60)]
        peer.send(b"".join(get(path) for path in paths))
        for path in paths:
            response = peer.read_response()
            self.assertEqual(response.body, b"hello\n" if path == "/respond" else get(path))

    def test_pipelined_with_bodies(self):
        server = self.server(echo)
        peer = self.client()
        requests = [request("POST", f"/to/{server.port}/{i}", f"Content-Length: {i * 700}", body=b"z" * (i * 700))
                    for i in range(1, 40)]
        sender = threading.Thread(target=peer.send, args=(b"".join(requests),))
        sender.start()
        for each in requests:
            self.assertEqual(peer.read_response().body, each)
        sender.join()

    def test_half_close(self):
        server = self.server(echo)
        peer = self.client()
        peer.send(get(f"/to/{server.port}/"))
        peer.socket.shutdown(socket.SHUT_WR)
        self.assertEqual(peer.read_response().status, 200)
        self.assertTrue(peer.ended())

    def test_half_close_behind_pipelined_requests(self):
        server = self.server(echo)
        peer = self.client()
        peer.send(get(f"/to/{server.port}/1") + get("/respond") + get(f"/to/{server.port}/2"))
        peer.socket.shutdown(socket.SHUT_WR)
        for _ in range(3):
            self.assertEqual(peer.read_response().status, 200)
        self.assertTrue(peer.ended())

    def test_no_endpoint_listens(self):
        unused = socket.socket()
        unused.bind(("127.0.0.1", 0))
        peer = self.client()
        peer.send(request("POST", f"/to/{unused.getsockname()[1]}/", "Content-Length: 2", body=b"ab"))
        response = peer.read_response()
        self.assertEqual((response.status, response.field("x-heddle-rule")), (503, "service echo/unhealthy"))
        peer.send(get("/respond"))
        self.assertEqual(peer.read_response().status, 200)
        unused.close()

    def test_every_split(self):
        """However a request comes in pieces, it is decided on and passed on the same."""
        server = self.server(echo)
        whole = request("POST", f"/to/{server.port}/x", "Transfer-Encoding: chunked", "Connection: a",
                        body=b"3;x\r\nabc\r\n0\r\nT: 1\r\n\r\n")
        passed = whole.replace(b"Connection: a\r\n", b"")
        peer = self.client()
        for split in range(1, len(whole)):
            peer.send(whole[:split])
            self.harness.stats()  # a round goes by
            peer.send(whole[split:])
            self.assertEqual(peer.read_response().body, passed.split(b"\r\n\r\n")[0] + b"\r\n\r\nabc")

    def test_one_byte_at_a_time(self):
        server = self.server(echo)
        peer = self.client()
        whole = get(f"/to/{server.port}/slow")
        for byte in whole:
            peer.send(bytes([byte]))
        self.assertEqual(peer.read_response().body, whole)


class Bodies(Traffic):
    """Of any size, up and down, with right checksums."""

    def upload(self, server_reads, size=20 * MB, chunked=False):
        digests = []

        def script(_, peer):
            head = peer.read_until(b"\r\n\r\n")
            digest = hashlib.sha256()
            if chunked:
                digest.update(peer.read_chunked()[0])
            else:
                left = int(re.search(rb"Content-Length: (\d+)", head).group(1))
                while left:
                    piece = server_reads(peer)[:left] if not peer.buffer else peer.buffer
                    peer.buffer = b""
                    digest.update(piece)
                    left -= len(piece)
            digests.append(digest.hexdigest())
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

        server = self.server(script)
        data = os.urandom(MB) * (size // MB)
        peer = self.client()
        if chunked:
            peer.send(request("PUT", f"/to/{server.port}/", "Transfer-Encoding: chunked"))
            for start in range(0, len(data), 70_001):
                piece = data[start:start + 70_001]
                peer.send(b"%x\r\n" % len(piece) + piece + b"\r\n")
            peer.send(b"0\r\n\r\n")
        else:
            peer.send(request("PUT", f"/to/{server.port}/", f"Content-Length: {len(data)}") + data)
        self.assertEqual(peer.read_response().body, b"ok")
        self.assertEqual(digests, [hashlib.sha256(data).hexdigest()])

    def test_upload(self):
        self.upload(lambda peer: peer.socket.recv(1 << 18))

    def test_chunked_upload(self):
        self.upload(None, chunked=True)

    def test_upload_to_a_slow_server(self):
        before = self.harness.memory_kib()

        def slowly(peer):
            threading.Event().wait(0.001)
            return peer.socket.recv(16384)

        self.upload(slowly, size=8 * MB)
        self.assertLess(self.harness.memory_kib() - before, 4096)

    def download(self, send_body, data, read):
        def script(_, peer):
            while True:
                peer.read_request()
                send_body(peer, data)

        server = self.server(script)
        peer = self.client(receive_buffer=65536)
        peer.send(get(f"/to/{server.port}/"))
        digest = hashlib.sha256(read(peer)).hexdigest()
        self.assertEqual(digest, hashlib.sha256(data).hexdigest())
        peer.send(get("/respond"))
        self.assertEqual(peer.read_response().status, 200)

    @staticmethod
    def with_length(peer, data):
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(data) + data)

    @staticmethod
    def in_chunks(peer, data):
        peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for start in range(0, len(data), 99_991):
            piece = data[start:start + 99_991]
            peer.send(b"%X\r\n" % len(piece) + piece + b"\r\n")
        peer.send(b"0\r\nX-Sum: 1\r\n\r\n")

    def test_download(self):
        self.download(self.with_length, os.urandom(MB) * 20, lambda peer: peer.read_response().body)

    def test_chunked_download(self):
        self.download(self.in_chunks, os.urandom(MB) * 5, lambda peer: peer.read_response().body)

    def test_download_to_a_slow_reader(self):
        data = os.urandom(MB) * 20
        before = self.harness.memory_kib()
        most = []

        def slowly(peer):
            head = peer.read_until(b"\r\n\r\n")
            self.assertIn(b"Content-Length", head)
            body = bytearray(peer.buffer)
            peer.buffer = b""
            while len(body) < len(data):
                body += peer.socket.recv(32768)
                if len(body) % 20 == 0:
                    most.append(self.harness.memory_kib())
            return bytes(body)

        self.download(self.with_length, data, slowly)
        self.assertLess(max(most + [0]) - before, 4096)

    def test_a_reader_that_stops_holds_up_the_server(self):
        sent = []

        def script(_, peer):
            peer.read_request()
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (200 * MB))
            peer.socket.settimeout(1)
            count = 0
            try:
                while count < 200 * MB:
                    count += peer.socket.send(b"x" * 65536)
            except socket.timeout:
                pass
            sent.append(count)

        server = self.server(script)
        before = self.harness.memory_kib()
        peer = self.client(receive_buffer=65536)
        peer.send(get(f"/to/{server.port}/"))
        end = time.monotonic() + TIMEOUT
        while not sent and time.monotonic() < end:
            self.assertLess(self.harness.memory_kib() - before, 4096)
        self.assertLess(sent[0], 100 * MB)

    def test_memory_does_not_grow(self):
        server = self.server(echo)
        peer = self.client()
        body = b"m" * 100_000

        def many(count):
            for _ in range(count):
                peer.send(request("POST", f"/to/{server.port}/", f"Content-Length: {len(body)}", body=body))
                self.assertEqual(len(peer.read_response().body) > len(body), True)

        many(20)
        before = self.harness.memory_kib()
        many(200)
        self.assertLess(self.harness.memory_kib() - before, 1024)

    def test_idle_connections_hold_no_buffers(self):
        server = self.server(echo)
        peers = [self.client() for _ in range(100)]
        for peer in peers:
            peer.send(request("POST", f"/to/{server.port}/", "Content-Length: 5", body=b"hello"))
            peer.read_response()
        self.harness.wait_stats(lambda s: s["buffers"] == 0)

    def test_memory_of_idle_connections(self):
        peers = [self.client() for _ in range(100)]
        for peer in peers:
            peer.send(get("/respond"))
            peer.read_response()
        before = self.harness.memory_kib()
        more = [self.client() for _ in range(800)]
        for peer in more:
            peer.send(get("/respond"))
            peer.read_response()
        self.harness.wait_stats(lambda s: s["connections"] >= 900 and s["buffers"] == 0)
        self.assertLess((self.harness.memory_kib() - before) / 800, 2.0)


class Messages(Traffic):
    """What the framing of messages allows."""

    def test_head(self):
        server = self.server(echo)
        peer = self.client()
        peer.send(request("HEAD", f"/to/{server.port}/") + get("/respond"))
        self.assertNotEqual(peer.read_response("HEAD").field("content-length"), "0")
        self.assertEqual(peer.read_response().body, b"hello\n")
        self.assertEqual(server.accepted, 1)

    def test_without_body(self):
        for answer in (b"HTTP/1.1 204 No Content\r\n\r\n", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n\r\n",
                       b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"):
            server = self.server(answering(answer, close=False))
            peer = self.client()
            for _ in range(3):
                peer.send(get(f"/to/{server.port}/"))
                self.assertEqual(peer.read_response().head, answer)
            self.assertEqual(server.accepted, 1)

    def test_204_with_a_length(self):
        server = self.server(answering(b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", close=False))
        self.assertEqual(self.ask(get(f"/to/{server.port}/")).head, b"HTTP/1.1 204 No Content\r\n\r\n")

    def test_until_close(self):
        server = self.server(answering(b"HTTP/1.1 200 OK\r\n\r\n" + b"c" * 50_000))
        peer = self.client()
        peer.send(get(f"/to/{server.port}/"))
        response = peer.read_response()
        self.assertEqual((response.body, response.field("connection")), (b"c" * 50_000, "close"))

    def test_until_close_that_breaks(self):
        def script(_, peer):
            peer.read_request()
            peer.send(b"HTTP/1.1 200 OK\r\n\r\n" + b"c" * 5000)
            resets(peer)

        server = self.server(script)
        peer = self.client()
        peer.send(get(f"/to/{server.port}/"))
        with self.assertRaises(ConnectionResetError):
            peer.read_response()

    def test_http10_server(self):
        server = self.server(answering(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok"))
        peer = self.client()
        for _ in range(3):
            peer.send(get(f"/to/{server.port}/"))
            self.assertEqual(peer.read_response().head, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n")

    def test_http10_client(self):
        server = self.server(echo)
        peer = self.client()
        peer.send(get(f"/to/{server.port}/", version="1.0"))
        response = peer.read_response()
        self.assertEqual(response.body, get(f"/to/{server.port}/", version="1.0"))
        self.assertEqual(response.field("connection"), "close")
        self.assertTrue(peer.ended())

    def test_http10_client_that_stays(self):
        server = self.server(echo)
        peer = self.client()
        for _ in range(3):
            peer.send(get(f"/to/{server.port}/", "Connection: keep-alive", version="1.0"))
            self.assertEqual(peer.read_response().field("connection"), "keep-alive")
        peer.send(get("/deny", "Connection: keep-alive", version="1.0"))
        self.assertEqual(peer.read_response().field("connection"), "keep-alive")

    def test_http10_client_gets_no_chunks(self):
        server = self.server(answering(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                                       b"3\r\nabc\r\n5;x=y\r\ndefgh\r\n0\r\nT: x\r\n\r\n"))
        peer = self.client()
        peer.send(get(f"/to/{server.port}/", "Connection: keep-alive", version="1.0"))
        response = peer.read_response()
        self.assertEqual((response.body, response.field("transfer-encoding"), response.field("connection")),
                         (b"abcdefgh", None, "close"))

    def test_http10_without_host(self):
        server = self.server(echo)
        head = f"GET /to/{server.port}/ HTTP/1.0\r\n\r\n".encode()
        self.assertEqual(self.ask(head).body, head)

    def test_trailers_both_ways(self):
        raw = []

        def script(_, peer):
            peer.read_until(b"\r\n\r\n")
            raw.append(peer.read_chunked()[1])
            peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n" + raw[0])

        server = self.server(script)
        body = b"4\r\nabcd\r\n0\r\nX-Sum: 17\r\nX-B: c\r\n\r\n"
        peer = self.client()
        peer.send(request("POST", f"/to/{server.port}/", "Transfer-Encoding: chunked", "Trailer: X-Sum", body=body))
        peer.read_until(b"\r\n\r\n")
        self.assertEqual(peer.read_chunked()[1], body)
        self.assertEqual(raw, [body])

    def test_expect_continue(self):
        def script(server, peer):
            head = peer.read_until(b"\r\n\r\n")
            server.received.append(head)
            peer.send(b"HTTP/1.1 100 Continue\r\n\r\n")
            body = peer.read_exactly(5)
            peer.send(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n" + body)

        server = self.server(script)
        peer = self.client()
        peer.send(request("POST", f"/to/{server.port}/", "Content-Length: 5", "Expect: 100-continue"))
        self.assertEqual(peer.read_response().head, b"HTTP/1.1 100 Continue\r\n\r\n")
        self.assertIn(b"Expect: 100-continue", server.received[0])
        peer.send(b"hello")
        self.assertEqual(peer.read_response().head, b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n")
        self.assertEqual(peer.read_response().body, b"hello")

    def test_expect_continue_refused(self):
        server = self.server(answering(b"HTTP/1.1 417 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"))

        def script(_, peer):
            peer.read_until(b"\r\n\r\n")
            peer.send(b"HTTP/1.1 417 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

        server = self.server(script)
        peer = self.client()
        peer.send(request("POST", f"/to/{server.port}/", "Content-Length: 5", "Expect: 100-continue"))
        self.assertEqual(peer.read_response().status, 417)
        peer = self.client()
        peer.send(request("POST", "/deny", "Content-Length: 5", "Expect: 100-continue"))
        response = peer.read_response()
        self.assertEqual((response.status, response.field("connection")), (403, "close"))

    def test_curl_uploads_with_expect(self):
        server = self.server(self.continuing)
        process = subprocess.run(
            ["curl", "-sS", "-H", "Expect: 100-continue", "--data-binary", "@-",
             f"http://127.0.0.1:{self.harness.port}/to/{server.port}/"],
            input=b"u" * (3 * MB), stdout=subprocess.PIPE, timeout=TIMEOUT, check=True)
        self.assertEqual(process.stdout, b"%d" % (3 * MB))

    @staticmethod
    def continuing(_, peer):
        head = peer.read_until(b"\r\n\r\n")
        if b"100-continue" in head:
            peer.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = peer.read_exactly(int(re.search(rb"Content-Length: (\d+)", head).group(1)))
        answer = b"%d" % len(body)
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(answer) + answer)

    def test_no_interim_for_http10(self):
        server = self.server(answering(b"HTTP/1.1 103 Early Hints\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"))
        self.assertEqual(self.ask(get(f"/to/{server.port}/", version="1.0")).status, 200)

    def test_early_response(self):
        """The server answers in the middle of the request, and reads no more of it."""

        def script(_, peer):
            peer.read_until(b"\r\n\r\n")
            peer.read_exactly(1000)
            peer.send(b"HTTP/1.1 413 Too Much\r\nContent-Length: 4\r\nConnection: close\r\n\r\nmuch")
            peer.socket.shutdown(socket.SHUT_WR)

        server = self.server(script)
        for _ in range(10):
            peer = self.client()
            peer.send(request("POST", f"/to/{server.port}/", f"Content-Length: {3 * MB}"))
            sender = threading.Thread(target=Decisions.send_quietly, args=(peer, b"x" * (3 * MB)))
            sender.start()
            self.assertEqual(peer.read_response().body, b"much")
            sender.join()

    def test_response_while_the_request_goes_on(self):
        def script(_, peer):
            peer.read_until(b"\r\n\r\n")
            peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            while True:
                size = peer.read_until(b"\r\n")
                piece = peer.read_exactly(int(size, 16) + 2)
                peer.send(size + piece)
                if size == b"0\r\n":
                    return

        server = self.server(script)
        peer = self.client()
        peer.send(request("POST", f"/to/{server.port}/", "Transfer-Encoding: chunked"))
        peer.read_until(b"\r\n\r\n")
        for i in range(20):
            peer.send(b"5\r\nping%d\r\n" % (i % 10))
            self.assertEqual(peer.read_exactly(10), b"5\r\nping%d\r\n" % (i % 10))
        peer.send(b"0\r\n\r\n")
        self.assertEqual(peer.read_exactly(5), b"0\r\n\r\n")


class Refusals(Traffic):
    """The server never sees a byte of it, and the connection ends."""

    def refused(self, data, status=400, server=None, end=False):
        peer = self.client()
        peer.send(data)
        if end:
            peer.socket.shutdown(socket.SHUT_WR)
        response = peer.read_response()
        self.assertEqual((response.status, response.field("connection"), response.field("x-heddle-rule")),
                         (status, "close", "mesh/malformed"), data[:80])
        self.assertTrue(peer.ended())
        if server:
            self.assertEqual(server.accepted, 0, data[:80])

    def test_malformed(self):
        server = self.server(echo)
        to = f"/to/{server.port}/"
        plain = f"GET {to} HTTP/1.1\r\nHost: a\r\n"
        for head in (
                plain.replace("\r\n", "\n") + "\n", plain.replace("\r\nHost", "\nHost") + "\r\n",
                plain + "X: a\r\n b\r\n\r\n", plain + "X : a\r\n\r\n", plain + "Host: a\r\n\r\n", plain + "X: \0\r\n\r\n",
                plain + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", plain + "Content-Length: 3\r\nContent-Length: 4\r\n\r\n",
                plain + "Transfer-Encoding: gzip\r\n\r\n", f"GET {to} HTTP/1.1\r\n\r\n", f"GET {to} HTTP/3.0\r\nHost: a\r\n\r\n",
                f"GET  {to} HTTP/1.1\r\nHost: a\r\n\r\n", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "\r\n" + plain + "\r\n",
                "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", f"get {to} HTTP/1.1\r\nHost: a\r\n\r\n"):
            self.refused(head.encode(), server=server)

    def test_a_malformed_request_behind_a_good_one(self):
        server = self.server(echo)
        peer = self.client()
        good = get(f"/to/{server.port}/good")
        peer.send(good + f"GET /to/{server.port}/bad HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n".encode() + good)
        self.assertEqual(peer.read_response().body, good)
        self.assertEqual(peer.read_response().status, 400)
        self.assertTrue(peer.ended())
        self.assertEqual(server.received, [good])

    def test_smuggling(self):
        """What one reader takes for a body and another for a request reaches no server."""
        server = self.server(echo)
        to = f"/to/{server.port}/"
        inner = f"GET {to}smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
        for fields in (f"Content-Length: {len(inner) + 5}\r\nTransfer-Encoding: chunked", "Content-Length: 0\r\nContent-Length: 5",
                       "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", "Transfer-Encoding: xchunked",
                       "Transfer-Encoding:\x0bchunked", "Transfer-Encoding : chunked", "Content-Length: 0x0",
                       "Content_Length: 5\r\nContent-Length: +0", "X: y\nTransfer-Encoding: chunked"):
            self.refused(f"POST {to} HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n0\r\n\r\n{inner}".encode(), server=server)

    def test_bad_chunks_that_come_with_the_head(self):
        server = self.server(echo)
        for body in (b"zz\r\n", b"5 \r\nhello\r\n0\r\n\r\n", b"1\nx\n0\n\n", b"0\r\nContent-Length: 5\r\n\r\n"):
            self.refused(request("POST", f"/to/{server.port}/", "Transfer-Encoding: chunked", body=body), server=server)

    def test_bad_chunks_later(self):
        ends = []

        def script(_, peer):
            peer.read_until(b"\r\n\r\n")
            try:
                peer.read_chunked()
                ends.append("complete")
            except (EOFError, ConnectionError):
                ends.append("cut")

        server = self.server(script)
        peer = self.client()
        peer.send(request("POST", f"/to/{server.port}/", "Transfer-Encoding: chunked", body=b"2\r\nab\r\n"))
        while server.accepted == 0:
            self.harness.stats()
        peer.send(b"zz\r\n")
        response = peer.read_response()
        self.assertEqual((response.status, response.field("x-heddle-rule")), (400, "mesh/malformed"))
        self.assertTrue(peer.ended())
        end = time.monotonic() + TIMEOUT
        while not ends and time.monotonic() < end:
            self.harness.stats()
        self.assertEqual(ends, ["cut"])

    def test_sizes(self):
        server = self.server(echo)
        to = f"/to/{server.port}/"
        prefix = len(to)
        self.assertEqual(self.ask(get(to + "a" * (16384 - prefix))).status, 200)
        self.refused(get(to + "a" * (16385 - prefix)), 414)
        empty = get(to, "X: ")
        fits = get(to, "X: " + "x" * (65536 - len(empty)))
        self.assertEqual(len(fits), 65536)
        self.assertEqual(self.ask(fits).body, fits)
        self.refused(fits.replace(b"X: ", b"X: x"), 431)
        self.refused(fits.replace(b"X: ", b"X: x") + b"more" * 1000, 431)
        self.refused(b"G" * 100_000, 431)
        self.refused(b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n", 405)

    def test_an_end_in_the_middle_of_a_head(self):
        self.refused(b"GET / HTTP/1.1\r\nHost:", end=True)
        self.refused(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", end=True)

    def test_an_end_without_a_request(self):
        peer = self.client()
        peer.socket.shutdown(socket.SHUT_WR)
        self.assertTrue(peer.ended())

    def test_refusal_is_read_though_more_was_sent(self):
        for _ in range(20):
            peer = self.client()
            Decisions.send_quietly(peer, b"BAD\r\n\r\n" + b"x" * 200_000)
            self.assertEqual(peer.read_response().status, 400)


class Servers(Traffic):
    """What a server may do wrong."""

    def test_malformed_responses(self):
        for answer in (b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\nContent-Length: 0\n\n", b"HTTP/1.1 20 OK\r\n\r\n",
                       b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                       b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
                       b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n", b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
                       b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000 + b"\r\n\r\n"):
            server = self.server(answering(answer))
            peer = self.client()
            peer.send(get(f"/to/{server.port}/"))
            response = peer.read_response()
            self.assertEqual((response.status, response.field("x-heddle-rule")), (502, "route echo/1"), answer[:40])
            peer.send(get("/respond"))
            self.assertEqual(peer.read_response().status, 200)

    def test_a_long_head_is_fine(self):
        answer = b"HTTP/1.1 200 OK\r\nX: " + b"x" * 60_000 + b"\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"
        server = self.server(answering(answer))
        response = self.ask(get(f"/to/{server.port}/"))
        self.assertEqual((response.body, len(response.field("x"))), (b"ok", 60_000))

    def test_no_response(self):
        for script in (lambda _, peer: peer.read_request(), lambda _, peer: (peer.read_request(), resets(peer))):
            server = self.server(script)
            response = self.ask(get(f"/to/{server.port}/"))
            self.assertEqual((response.status, response.field("x-heddle-rule")), (502, "route echo/1"))
            self.assertEqual(server.accepted, 1)

    def test_cut_short(self):
        for answer in (b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nhello", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
                       b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n"):
            server = self.server(answering(answer))
            peer = self.client()
            peer.send(get(f"/to/{server.port}/"))
            with self.assertRaises((ConnectionError, EOFError)):
                peer.read_response()

    def test_more_than_was_asked_for(self):
        """Bytes behind a response are nobody's, least of all the next request's answer."""
        server = self.server(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
                                       close=False))
        peer = self.client()
        for _ in range(4):
            peer.send(get(f"/to/{server.port}/"))
            self.assertEqual(peer.read_response().body, b"ok")
        self.assertEqual(server.accepted, 4)

    def test_a_stale_connection_is_replaced(self):
        """A server that closed an idle connection just before the next request came saw nothing of it."""
        server = self.server(self.once_then_wait)
        for attempt in range(10):
            peer = self.client()
            peer.send(get(f"/to/{server.port}/a"))
            self.assertEqual(peer.read_response().body, b"ok")
            accepted = server.accepted
            # Stopped, the harness sees the end of the server and the next request in one round.
            self.harness.process.send_signal(19)
            self.kept.socket.close()
            peer.send(get(f"/to/{server.port}/b"))
            self.harness.process.send_signal(18)
            self.assertEqual(peer.read_response().body, b"ok", attempt)
            self.assertEqual(server.accepted, accepted + 1)

    def once_then_wait(self, server, peer):
        self.kept = peer
        peer.read_request()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        threading.Event().wait(TIMEOUT)

    def test_a_request_that_a_server_got_is_not_repeated(self):
        seen = []

        def script(_, peer):
            seen.append(peer.read_request()[0])
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            seen.append(peer.read_request()[0])

        server = self.server(script)
        peer = self.client()
        peer.send(request("POST", f"/to/{server.port}/1", "Content-Length: 0"))
        self.assertEqual(peer.read_response().body, b"ok")
        peer.send(request("POST", f"/to/{server.port}/2", "Content-Length: 0"))
        self.assertEqual(peer.read_response().status, 502)
        self.assertEqual((len(seen), server.accepted), (2, 1))


class Clients(Traffic):
    """What a client may do wrong, and what must be left of it: nothing."""

    def gone(self):
        self.harness.wait_stats(lambda s: s["connections"] == 0 and s["buffers"] == 0)

    def setUp(self):
        super().setUp()
        self.harness.say("events")

    def test_abort_while_the_server_thinks(self):
        thinking = threading.Event()
        ended = threading.Event()

        def script(_, peer):
            peer.read_request()
            thinking.set()
            if peer.read_to_end() == b"":
                ended.set()

        server = self.server(script)
        peer = self.client()
        peer.send(get(f"/to/{server.port}/"))
        self.assertTrue(thinking.wait(TIMEOUT))
        resets(peer)
        self.assertTrue(ended.wait(TIMEOUT), "the server is told")
        self.gone()
        self.assertEqual(self.harness.wait_events(1)[0][2], 1)

    def test_abort_in_a_body(self):
        ended = threading.Event()

        def script(_, peer):
            peer.read_until(b"\r\n\r\n")
            try:
                peer.read_exactly(1000)
            except (EOFError, ConnectionError):
                ended.set()

        server = self.server(script)
        for abort in (lambda peer: peer.socket.shutdown(socket.SHUT_WR), resets):
            ended.clear()
            peer = self.client()
            peer.send(request("POST", f"/to/{server.port}/", "Content-Length: 1000", body=b"some"))
            while server.accepted == 0:
                self.harness.stats()
            abort(peer)
            self.assertTrue(ended.wait(TIMEOUT))
        self.gone()

    def test_abort_in_a_response(self):
        server = self.server(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 50000000\r\n\r\n" + b"x" * 50_000_000))
        peer = self.client()
        peer.send(get(f"/to/{server.port}/"))
        peer.read_until(b"\r\n\r\n")
        resets(peer)
        self.gone()

    def test_many_at_a_time(self):
        server = self.server(echo)
        failures = []

        def client(number):
            try:
                peer = self.client()
                for i in range(20):
                    body = b"%d" % number * (i * 37)
                    each = request("POST", f"/to/{server.port}/{i}", f"Content-Length: {len(body)}", body=body)
                    peer.send(each)
                    if peer.read_response().body != each:
                        failures.append(number)
                peer.socket.close()
            except Exception as failure:
                failures.append(failure)

        threads = [threading.Thread(target=client, args=(n,)) for n in range(50)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])
        self.gone()


class Draining(unittest.TestCase):
    def test_finishes_what_runs(self):
        harness = Harness()
        release = threading.Event()
        reached = threading.Event()

        def script(_, peer):
            peer.read_request()
            reached.set()
            release.wait(TIMEOUT)
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

        server = Server(script)
        idle = Peer(socket.create_connection(("127.0.0.1", harness.port), TIMEOUT))
        idle.send(get("/respond"))
        idle.read_response()
        busy = Peer(socket.create_connection(("127.0.0.1", harness.port), TIMEOUT))
        busy.send(get(f"/to/{server.port}/"))
        self.assertTrue(reached.wait(TIMEOUT))
        harness.say("drain")
        self.assertTrue(idle.ended())
        with self.assertRaises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", harness.port), TIMEOUT)
        release.set()
        response = busy.read_response()
        self.assertEqual((response.body, response.field("connection")), (b"ok", "close"))
        busy.socket.close()
        idle.socket.close()
        server.close()
        self.assertEqual(harness.process.wait(TIMEOUT), 0)
        harness.process.stdin.close()
        harness.process.stdout.close()


if __name__ == "__main__":
    unittest.main(verbosity=1)
