"""A process in a network namespace: obeys one line of JSON at a time, and answers with one."""
import json
import socket
import subprocess
import sys
import threading
import time

TIMEOUT = 20
IPPROTO_MPTCP = 262
ADDRESSES = {"4": (socket.AF_INET, "10.96.7.1"), "6": (socket.AF_INET6, "fd00:7::1"),
             "mapped": (socket.AF_INET6, "::ffff:10.96.7.1")}


def read_message(stream):
    """Head and body of a request or response with a length; None at the end."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        line = stream.readline()
        if not line:
            return None
        head += line
    length = 0
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    return head, stream.read(length)


class Server:
    """Answers each request with its own name and the target."""

    def __init__(self, name, family, address, port, protocol=0):
        self.name = name
        self.listener = socket.socket(socket.AF_INET6 if family == "6" else socket.AF_INET, socket.SOCK_STREAM, protocol)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind((address, port))
        self.listener.listen(64)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            connection, _ = self.listener.accept()
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        try:
            # In a socket map a connection that came to a listener of Multipath TCP might show an address of the other family.
            if connection.getpeername()[0].count(":") == 0 and self.listener.family == socket.AF_INET6:
                return connection.close()
            stream = connection.makefile("rb")
            while message := read_message(stream):
                target = message[0].split(b" ")[1].decode()
                body = f"{self.name} {target}".encode()
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        except OSError:
            pass


servers = []


def serve(name, family, address, port=0, mptcp=False):
    servers.append(Server(name, family, address, port, IPPROTO_MPTCP if mptcp else 0))
    return servers[-1].listener.getsockname()[1]


def connect(family, source_port=0, mptcp=False):
    kind, address = ADDRESSES[family]
    made = socket.socket(kind, socket.SOCK_STREAM, IPPROTO_MPTCP if mptcp else 0)
    made.settimeout(TIMEOUT)
    if source_port:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(("127.0.0.1", source_port))
    made.connect((address, 80))
    return made


def get(family="4", target="/v1/x", count=1, source_port=0, mptcp=False, pause=0.0):
    """Status and body of each of `count` requests on one connection; a string: why there is no connection."""
    try:
        client = connect(family, source_port, mptcp)
    except OSError as error:
        return error.strerror
    answers = []
    with client, client.makefile("rb") as stream:
        for number in range(count):
            client.sendall(f"GET {target}/{number} HTTP/1.1\r\nHost: echo\r\n\r\n".encode())
            try:
                message = read_message(stream)
            except OSError:
                message = None
            if message is None:
                return f"end after {len(answers)} answers"
            answers.append((int(message[0].split(b" ")[1]), message[1].decode()))
            time.sleep(pause)
        name = client.getsockname()[:2]
    return {"answers": answers, "name": name}


def wait_served(family="4", target="/v1/x", patience=5.0):
    """How long it took from the first try, which is refused or not, to the first answer; and how many tries."""
    begin, tries = time.monotonic(), 0
    while time.monotonic() - begin < patience:
        tries += 1
        found = get(family, target)
        if isinstance(found, dict) and found["answers"][0][0] == 200:
            return {"seconds": time.monotonic() - begin, "tries": tries}
        time.sleep(0.002)
    return {"seconds": patience, "tries": tries, "last": found}


def run(*command):
    subprocess.run(command, check=True)


OPERATIONS = {"serve": serve, "get": get, "wait_served": wait_served, "run": run}


def main():
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        answer = OPERATIONS[order["op"]](*order["positional"], **order["named"])
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
