"""Runs inside a workload's cgroup: raw requests to the mesh. Commands are the first argument; results go to standard
output as JSON."""

import fcntl
import json
import socket
import struct
import sys
import termios
import time

ADDRESSES = {"4": (socket.AF_INET, "10.96.7.1"), "6": (socket.AF_INET6, "fd00:7::1"),
             "mapped": (socket.AF_INET6, "::ffff:10.96.7.1")}


def connect(family="4", port=80):
    kind, address = ADDRESSES[family]
    peer = socket.socket(kind, socket.SOCK_STREAM)
    peer.settimeout(20)
    peer.connect((address, port))
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return peer


def read_response(peer, data=b""):
    """Status, rule, body, and what follows."""
    while b"\r\n\r\n" not in data:
        piece = peer.recv(65536)
        if not piece:
            return 0, "", data, b""
        data += piece
    head, _, data = data.partition(b"\r\n\r\n")
    fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
    length = int(fields.get(b"content-length", 0))
    while len(data) < length:
        data += peer.recv(65536)
    rule = fields.get(b"x-heddle-rule", b"").decode()
    return int(head.split()[1]), rule, data[:length].decode("latin-1"), data[length:]


def unacknowledged(peer):
    """Bytes that the other end's kernel has not taken yet: even on loopback that is later than the write."""
    return struct.unpack("i", fcntl.ioctl(peer, termios.TIOCOUTQ, struct.pack("i", 0)))[0]


def ended(peer):
    try:
        return peer.recv(1) == b""
    except ConnectionError:
        return False


def ask(family, path):
    peer = connect(family)
    shown = peer.getpeername()
    peer.sendall(f"GET {path} HTTP/1.1\r\nHost: echo\r\n\r\n".encode())
    return [*read_response(peer)[:3], shown[0], shown[1]]


def splits(hexed):
    """The request in two pieces, split at every place; the distinct outcomes."""
    request = bytes.fromhex(hexed)
    seen = set()
    for split in range(1, len(request)):
        peer = connect()
        peer.sendall(request[:split])
        peer.sendall(request[split:])
        seen.add(read_response(peer)[:3])
        peer.close()
    return sorted(seen)


def raw(*hexed):
    """Each request on a connection of its own: status, rule, whether the connection ended."""
    results = []
    for each in hexed:
        peer = connect()
        try:
            peer.sendall(bytes.fromhex(each))
        except ConnectionError:
            pass
        status, rule, _, _ = read_response(peer)
        results.append([status, rule, ended(peer)])
    return results


def many(count, path):
    """`count` connections with half a head on each; when told by a line on standard input, the rest; the statuses."""
    peers = [connect() for _ in range(int(count))]
    for peer in peers:
        peer.sendall(f"GET {path} HTTP/1.1\r\n".encode())
    print("begun", flush=True)
    sys.stdin.readline()
    for peer in peers:
        peer.sendall(b"Host: echo\r\n\r\n")
    while any(unacknowledged(peer) for peer in peers):
        time.sleep(0.01)
    print("sent", flush=True)
    return [read_response(peer)[0] for peer in peers]


def open_connection():
    """A request on the same connection for every line on standard input."""
    peer = connect()
    for path in sys.stdin:
        peer.sendall(f"GET {path.strip()} HTTP/1.1\r\nHost: echo\r\n\r\n".encode())
        print(json.dumps(read_response(peer)[:2]), flush=True)
    return "end"


if __name__ == "__main__":
    print(json.dumps(globals()[sys.argv[1]](*sys.argv[2:])))
