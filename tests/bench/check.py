"""The bench's own client, which looks at every byte: a figure counts only if what it counts is right.

Run as a program inside a contender's cgroup, it asks what standard input says and prints what came."""

import base64
import dataclasses
import json
import socket
import subprocess
import sys

import scratch
import servers

TIMEOUT = 10
SMALL_REQUESTS = 40  # on one connection: the first ones may go another way than the later ones


def receive_response(peer):
    data = b""
    while b"\r\n\r\n" not in data:
        piece = peer.recv(65536)
        if not piece:
            raise EOFError("the connection ended")
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
    length = int(fields[b"content-length"])
    while len(body) < length:
        piece = peer.recv(65536)
        if not piece:
            raise EOFError("the connection ended within a body")
        body += piece
    return int(head.split()[1]), body, len(head) + 4 + len(body)


def main():
    """One connection for each batch of requests: status, body and size in bytes of each response."""
    order = json.load(sys.stdin)
    answers = []
    for batch in order["batches"]:
        with socket.create_connection((order["address"], order["port"]), TIMEOUT) as peer:
            answers.append([])
            for request in batch:
                peer.sendall(request.encode())
                status, body, size = receive_response(peer)
                answers[-1].append([status, base64.b64encode(body).decode(), size])
    json.dump(answers, sys.stdout)


def head(path, headers=(), method="GET"):
    """Byte for byte what wrk sends."""
    fields = "".join(f"{name}: {value}\r\n" for name, value in (("Host", "items"), *headers))
    return f"{method} {path} HTTP/1.1\r\n{fields}\r\n"


def ask(contender, batches):
    order = json.dumps({"address": contender.address, "port": contender.port, "batches": batches})
    client = scratch.launch([sys.executable, "-B", __file__], contender.cgroup, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True)
    try:
        output, errors = client.communicate(order, timeout=TIMEOUT * 2)
    except subprocess.TimeoutExpired:
        client.kill()
        client.wait()
        raise scratch.WrongResponse(f"{contender.name}: no answer to the checking client") from None
    if client.returncode != 0:
        raise scratch.WrongResponse(f"{contender.name}: {errors.strip().splitlines()[-1] if errors else 'no answer'}")
    return [[(status, base64.b64decode(body), size) for status, body, size in batch] for batch in json.loads(output)]


@dataclasses.dataclass(frozen=True)
class Question:
    """Requests on one connection, all of which have one of the right answers."""
    what: str
    requests: list
    right: set  # of (status, body); body None: whatever it says


def load_questions(request):
    """The load's own request, as often as it takes to see both servers."""
    if request.startswith(f"GET {servers.FILE} "):
        return [Question("64 KiB", [request] * 3, {(200, servers.LARGE)})]
    small = {(200, text.encode()) for text in servers.SMALL.values()}
    if "Connection: close" in request:
        return [Question("the load's request", [request], small)] * SMALL_REQUESTS
    return [Question("the load's request", [request] * SMALL_REQUESTS, small)]


def other_questions(contender):
    yield Question("64 KiB", [head(servers.FILE)] * 3, {(200, servers.LARGE)})
    if not contender.decides:
        return
    for prefix, text in zip(("/v1/a", "/v2/a"), servers.SMALL.values()):
        yield Question(f"{prefix} leads to its server", [head(prefix)], {(200, text.encode())})
    yield Question("/health is answered", [head("/health")], {(200, b"ok")})
    yield Question("who asks for debugging is refused", [head(servers.ITEM, (("X-Debug", "1"),))], {(403, None)})
    yield Question("who writes is refused", [head(servers.ITEM, (("Content-Length", "0"),), "POST")], {(403, None)})


def check(contender, request):
    """Asks for all of it. Gives the least and the greatest size in bytes of a response to the load's request: a handler may drop
    a header that the kernel lets through."""
    load, others = load_questions(request), list(other_questions(contender))
    answers = ask(contender, [question.requests for question in (*load, *others)])
    for question, answered in zip((*load, *others), answers):
        for status, body, _ in answered:
            if not {(status, body), (status, None)} & question.right:
                raise scratch.WrongResponse(f"{contender.name}: {question.what}: {status} {body[:80]!r}")
    of_load = [answer for answered in answers[:len(load)] for answer in answered]
    if contender.decides and {(status, body) for status, body, _ in of_load} != load[0].right:
        raise scratch.WrongResponse(f"{contender.name}: of the two servers, only one is asked")
    sizes = [size for _, _, size in of_load]
    return min(sizes), max(sizes)


if __name__ == "__main__":
    main()
