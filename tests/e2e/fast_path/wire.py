"""Requests and responses as bytes on a socket of this process, which is a workload of the mesh (world.py)."""
import ctypes
import dataclasses
import socket
import struct
import time

from pattern import pattern

ADDRESSES = {"4": (socket.AF_INET, "10.96.7.1"), "6": (socket.AF_INET6, "fd00:7::1"),
             "mapped": (socket.AF_INET6, "::ffff:10.96.7.1"), "loopback": (socket.AF_INET, "127.0.0.1")}
TIMEOUT = 20
SO_MEMINFO = 55


def request(method, target, *fields, body=None):
    lines = [f"{method} {target} HTTP/1.1", "Host: echo", *fields]
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + (body or b"")


def get(target, *fields):
    return request("GET", target, *fields)


class Ended(Exception):
    """The connection ended in, or before, a response; `data` is what came of it."""

    def __init__(self, how, data=b""):
        super().__init__(f"{how} after {len(data)} bytes: {bytes(data[:120])!r}")
        self.how = how
        self.data = bytes(data)


@dataclasses.dataclass
class Response:
    status: int
    fields: dict
    body: bytes
    interim: list
    head: bytes

    def __getattr__(self, name):
        """`x_target` is the field `x-target`; None when it is not there."""
        return self.fields.get(name.replace("_", "-"))


class Client:
    def __init__(self, family="4", port=80, buffer=None, source=None):
        kind, address = ADDRESSES[family]
        self.socket = socket.socket(kind, socket.SOCK_STREAM)
        self.socket.settimeout(TIMEOUT)
        if buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        if source:
            self.socket.bind((source, 0))
        self.address = (address, port)
        self.socket.connect(self.address)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = bytearray()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def reset(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def disconnect(self):
        """Ends the connection, and leaves the socket to connect again."""
        nowhere = struct.pack("H14x", socket.AF_UNSPEC)
        if ctypes.CDLL(None, use_errno=True).connect(self.socket.fileno(), nowhere, len(nowhere)):
            raise OSError(ctypes.get_errno(), "connect to AF_UNSPEC")
        self.buffer.clear()

    def connect_again(self, address=None):
        """The same socket; refused while something of its earlier connection is on its way."""
        end = time.monotonic() + TIMEOUT
        while True:
            try:
                return self.socket.connect(address or self.address)
            except ConnectionRefusedError:
                if time.monotonic() > end:
                    raise
            time.sleep(0.001)

    def send(self, data):
        self.socket.sendall(data)

    def send_in_pieces(self, data, sizes):
        for size in sizes:
            self.socket.sendall(data[:size])
            data = data[size:]
        if data:
            self.socket.sendall(data)

    def fill(self):
        try:
            data = self.socket.recv(1 << 18)
        except (ConnectionError, BrokenPipeError) as error:
            raise Ended("reset", self.buffer) from error
        except TimeoutError as error:
            raise Ended("silence", self.buffer) from error
        if not data:
            raise Ended("end", self.buffer)
        self.buffer += data

    def read_until(self, mark):
        while (end := self.buffer.find(mark)) < 0:
            self.fill()
        data = bytes(self.buffer[:end + len(mark)])
        del self.buffer[:end + len(mark)]
        return data

    def read_exactly(self, count):
        while len(self.buffer) < count:
            self.fill()
        data = bytes(self.buffer[:count])
        del self.buffer[:count]
        return data

    def read_to_end(self):
        try:
            while True:
                self.fill()
        except Ended as end:
            if end.how != "end":
                raise
        data = bytes(self.buffer)
        self.buffer.clear()
        return data

    def read_chunked(self):
        content = []
        while size := int(self.read_until(b"\r\n").split(b";")[0], 16):
            content.append(self.read_exactly(size))
            if self.read_exactly(2) != b"\r\n":
                raise Ended("no chunk", content[-1])
        while self.read_until(b"\r\n") != b"\r\n":
            pass
        return b"".join(content)

    def read_head(self):
        head = self.read_until(b"\r\n\r\n")
        line, *lines = head[:-4].split(b"\r\n")
        if not line.startswith(b"HTTP/1.1 "):
            raise AssertionError(f"not a response: {head[:200]!r}")
        fields = {}
        for each in lines:
            name, _, value = each.partition(b":")
            fields[name.decode().lower()] = value.strip().decode("latin-1")
        return Response(int(line.split(b" ")[1]), fields, b"", [], head)

    def read_response(self, method="GET"):
        response = self.read_head()
        interim = []
        while response.status < 200:
            interim.append(response.status)
            response = self.read_head()
        response.interim = interim
        if method == "HEAD" or response.status in (204, 304):
            return response
        if "transfer-encoding" in response.fields:
            response.body = self.read_chunked()
        elif "content-length" in response.fields:
            response.body = self.read_exactly(int(response.fields["content-length"]))
        else:
            response.body = self.read_to_end()
        return response

    def ask(self, method, target, *fields, body=None):
        self.send(request(method, target, *fields, body=body))
        return self.read_response(method)

    def get(self, target, *fields):
        return self.ask("GET", target, *fields)

    def memory(self):
        """sk_rmem_alloc: what lies unread in the socket, as the kernel counts it."""
        return struct.unpack("9I", self.socket.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, 36))[0]

    def error(self):
        """That the socket has; it has it no more then."""
        return self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)

    def ended(self):
        """Waits; True: nothing came any more."""
        try:
            return not self.buffer and self.socket.recv(1) == b""
        except ConnectionError:
            return not self.buffer


def expect_answer(test, response, target, endpoint=None, size=None, status=200):
    """The answer to this very request, from an endpoint that may answer it, with the body that was promised."""
    test.assertEqual((response.status, response.x_target), (status, target))
    if endpoint:
        test.assertEqual(response.x_endpoint, endpoint)
    if size is not None and response.body != pattern(size):
        raise AssertionError(f"{target}: {len(response.body)} bytes of {size}, or wrong ones")
