"""What tests of tcp services share with those of tls services, and where the services are."""
import contextlib
import pathlib
import socket
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "tls"))
from passed import Passed, echo  # noqa: E402, F401
from world import TIMEOUT, RawServer, World, read_to_end  # noqa: E402, F401

QUEUE = {"4": ("10.96.8.1", 5672), "6": ("fd00:8::1", 5672), "mapped": ("::ffff:10.96.8.1", 5672)}


def outcome(world, to, workload="web", source=None):
    """What a server says to somebody who says nothing, and how it ends. A reset can be faster than `connect` returns."""
    try:
        sock = world.connect(to, workload, source)
    except ConnectionResetError:
        return b"", "reset"
    except ConnectionRefusedError:
        return b"", "refused"
    with sock:
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_WR)
        return read_to_end(sock)
