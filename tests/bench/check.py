"""The bench's own client, which looks at every byte: a figure counts only if what it counts is right.

Run as a program inside a contender's cgroup, it asks what standard input says and prints what came."""

import base64
import json
import socket
import subprocess
import sys

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
    import scratch  # not needed by the program

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


def check(contender, request):
    """The load's own request, and what the policy says about others. Gives the size of the load's response in bytes."""
    from scratch import WrongResponse
    from servers import FILE, LARGE, SMALL

    small = {text.encode() for text in SMALL.values()}
    first, second = (text.encode() for text in SMALL.values())

    def wrong(what, answer):
        raise WrongResponse(f"{contender.name}: {what}: {answer[0]} {answer[1][:80]!r}")

    large = request.startswith(f"GET {FILE} ")
    wanted = [request] * (3 if large else SMALL_REQUESTS)
    loads = [[each] for each in wanted] if "Connection: close" in request else [wanted]
    others = [[head(FILE)] * 3]
    if contender.decides:
        others += [[head("/v1/a"), head("/v2/a"), head("/v1/b")], [head("/health")], [head("/items/7", (("X-Debug", "1"),))],
                   [head("/items/7", (("Content-Length", "0"),), "POST")]]
    answers = ask(contender, loads + others)
    load = [answer for batch in answers[:len(loads)] for answer in batch]
    files, *decided = answers[len(loads):]

    expected = {LARGE} if large else small
    for answer in load:
        if answer[0] != 200 or answer[1] not in expected:
            wrong("the load's request", answer)
    if contender.decides and not large and {body for _, body, _ in load} != small:
        wrong("of the two servers, only one is asked", load[0])
    for answer in files:
        if answer[:2] != (200, LARGE):
            wrong("64 KiB", answer)
    if contender.decides:
        prefixes, health, debug, post = decided
        for answer, body in zip(prefixes, (first, second, first)):
            if answer[:2] != (200, body):
                wrong("a prefix leads to its server", answer)
        if health[0][:2] != (200, b"ok"):
            wrong("/health is answered", health[0])
        for answer in (debug[0], post[0]):
            if answer[0] != 403:
                wrong("a request that has to be refused", answer)
    sizes = {size for _, _, size in load}
    if len(sizes) != 1:
        raise WrongResponse(f"{contender.name}: responses of different sizes: {sizes}")
    return sizes.pop()


if __name__ == "__main__":
    main()
