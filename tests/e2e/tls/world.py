"""A mesh with a tls service, and raw servers that see every byte. Clients are this process, moved into a workload's cgroup for as
long as they connect."""

import contextlib
import json
import os
import pathlib
import socket
import struct
import subprocess
import sys
import threading

sys.path[:0] = [str(pathlib.Path(__file__).parent.parent), str(pathlib.Path(__file__).parent.parent / "handler")]
from machine import cgroup_mount  # noqa: E402
from mesh import BIN, TIMEOUT, Mesh  # noqa: E402, F401

ADDRESSES = {"4": ("10.96.7.1", 443), "6": ("fd00:7::1", 443)}


def home():
    """The cgroup that this process is in."""
    lines = pathlib.Path("/proc/self/cgroup").read_text().splitlines()
    own = next(line[3:] for line in lines if line.startswith("0::"))
    return cgroup_mount() / own.lstrip("/")


class World(Mesh):
    def __init__(self, text, workers=2):
        self.home = home()
        super().__init__(text, workers)

    @contextlib.contextmanager
    def as_workload(self, workload):
        """What connects meanwhile is the workload's."""
        (self.root / f"{workload}.service" / "cgroup.procs").write_text(str(os.getpid()))
        try:
            yield
        finally:
            (self.home / "cgroup.procs").write_text(str(os.getpid()))

    def connect(self, to="4", workload="web", source=None):
        address = ADDRESSES.get(to, to)
        with self.as_workload(workload):
            sock = socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET)
            sock.settimeout(TIMEOUT)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if source is not None:
                sock.bind((source, 0))
            try:
                sock.connect(address)
            except OSError:
                sock.close()
                raise
        return sock

    def decisions(self, rule):
        done = subprocess.run([BIN / "heddle", "status", "--format", "json", "--control", self.control], capture_output=True,
                              text=True, check=True)
        return next(each["decisions"] for each in json.loads(done.stdout)["rules"] if each["id"] == rule)


class RawServer:
    """Hands every connection to `serve`, in a thread of its own."""

    def __init__(self, serve, host="127.0.0.1"):
        self.listener = socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
        self.port = self.listener.getsockname()[1]
        self.accepted = 0
        self.serve = serve
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            self.accepted += 1
            peer.settimeout(TIMEOUT)
            threading.Thread(target=self.one, args=(peer,), daemon=True).start()

    def one(self, peer):
        with peer, contextlib.suppress(OSError):
            self.serve(peer)

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


def read_to_end(sock):
    """All bytes up to the end, and how it ended: `closed` or `reset`."""
    parts = []
    try:
        while part := sock.recv(1 << 16):
            parts.append(part)
    except ConnectionResetError:
        return b"".join(parts), "reset"
    return b"".join(parts), "closed"


def reset(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()
