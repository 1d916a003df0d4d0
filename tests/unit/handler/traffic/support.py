"""What the tests of the handler's data path share: raw clients and raw servers on loopback sockets, and between them
`handler_harness`, the worker's engine with a policy in the same process (fake_decider.h)."""
import os
import re
import signal
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
with open(HARNESS, "rb") as binary:
    SANITIZED = b"__ubsan_" in binary.read()
MB = 1024 * 1024


class Harness:
    """A running harness; its standard input takes commands."""

    def __init__(self, **environment):
        self.process = subprocess.Popen([HARNESS, "0"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        env={**os.environ, **environment})
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

    def stop(self):
        """Until go_on(), everything that arrives waits, and is then ready in one round."""
        stop(self.process.pid)

    def go_on(self):
        self.process.send_signal(signal.SIGCONT)

    def close(self):
        self.process.stdin.close()
        code = self.process.wait(TIMEOUT)
        self.process.stdout.close()
        return code


def stop(pid):
    """Until SIGCONT. The signal takes effect when the process is next about to run, so that is waited for."""
    os.kill(pid, signal.SIGSTOP)
    end = time.monotonic() + TIMEOUT
    while time.monotonic() < end:
        with open(f"/proc/{pid}/stat") as stat:
            if stat.read().rpartition(")")[2].split()[0] == "T":
                return
    raise AssertionError(f"{pid} does not stop")


class Server:
    """Serves each connection with `script(connection)` in a thread of its own."""

    def __init__(self, script, family=socket.AF_INET):
        self.script = script
        self.listener = socket.socket(family)
        self.listener.bind(("127.0.0.1" if family == socket.AF_INET else "::1", 0))
        self.listener.listen(256)
        self.port = self.listener.getsockname()[1]
        self.accepted = 0
        self.served = 0  # connections that the script has ended
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
            self.served += 1

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
        pieces, missing = [self.buffer], count - len(self.buffer)
        while missing > 0:
            piece = self.socket.recv(1 << 18)
            if not piece:
                raise EOFError(b"".join(pieces))
            pieces.append(piece)
            missing -= len(piece)
        data = b"".join(pieces)
        self.buffer = data[count:]
        return data[:count]

    def read_chunked(self):
        """Content and raw bytes, trailers included in the latter."""
        content, raw = [], []
        while True:
            raw.append(self.read_until(b"\r\n"))
            size = int(raw[-1].split(b";")[0], 16)
            if size == 0:
                while True:
                    raw.append(self.read_until(b"\r\n"))
                    if raw[-1] == b"\r\n":
                        return b"".join(content), b"".join(raw)
            raw.append(self.read_exactly(size + 2))
            content.append(raw[-1][:-2])

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
        fields = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nServer: echo\r\n\r\n" % len(answer)
        peer.send(fields if head.startswith(b"HEAD ") else fields + answer)


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



def send_quietly(peer, data):
    """Sends as much as the other side takes."""
    try:
        peer.send(data)
    except ConnectionError:
        pass


def sending(peer, data):
    """A thread that does."""
    thread = threading.Thread(target=send_quietly, args=(peer, data))
    thread.start()
    return thread
