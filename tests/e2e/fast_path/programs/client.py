"""client.py http|asyncio URL REQUESTS CONCURRENCY: Python's own clients with keep-alive; every answer is looked at."""
import asyncio
import http.client
import json
import sys
import threading

_PERIOD = bytes(range(251))
BODIES = {size: (_PERIOD * (size // 251 + 1))[:size] for size in (300, 1000, 65536, 2000000)}


def asked(kind, which, i):
    """Method, target, body, and size of the answer's body (None: text)."""
    name = f"{kind}-{which}-{i}"
    if i % 50 == 49:
        return "GET", f"/v1/size/2000000/{name}", None, 2000000
    if i % 4 == 1:
        return "POST", f"/v1/echo/{name}", BODIES[300], None
    if i % 4 == 3:
        return "GET", f"/v2/size/65536/{name}", None, 65536
    return "GET", f"/v1/size/1000/{name}", None, 1000


def check(target, size, status, answered, body):
    if status != 200 or answered != target or (size is not None and body != BODIES[size]):
        raise SystemExit(f"{target}: {status} {answered} {len(body)} bytes")


def run_http(host, requests, which, failures):
    try:
        connection = http.client.HTTPConnection(host, 80, timeout=20)
        for i in range(requests):
            method, target, body, size = asked("http", which, i)
            connection.request(method, target, body)
            response = connection.getresponse()
            check(target, size, response.status, response.getheader("X-Target"), response.read())
    except BaseException as failure:
        failures.append(failure)


def with_threads(host, requests, concurrency):
    failures = []
    threads = [threading.Thread(target=run_http, args=(host, requests, which, failures)) for which in range(concurrency)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise SystemExit(f"{failures[0]!r}")


async def run_asyncio(host, requests, which):
    reader, writer = await asyncio.open_connection(host, 80)
    for i in range(requests):
        method, target, body, size = asked("asyncio", which, i)
        head = f"{method} {target} HTTP/1.1\r\nHost: echo\r\n" + (f"Content-Length: {len(body)}\r\n" if body else "") + "\r\n"
        writer.write(head.encode() + (body or b""))
        lines = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 20)).decode().split("\r\n")
        fields = dict(line.lower().split(": ", 1) for line in lines[1:] if line)
        content = await asyncio.wait_for(reader.readexactly(int(fields["content-length"])), 20)
        check(target, size, int(lines[0].split()[1]), fields.get("x-target"), content)
    writer.close()


async def with_asyncio(host, requests, concurrency):
    await asyncio.gather(*(run_asyncio(host, requests, which) for which in range(concurrency)))


if __name__ == "__main__":
    kind, host, requests, concurrency = sys.argv[1], sys.argv[2].removeprefix("http://"), int(sys.argv[3]), int(sys.argv[4])
    if kind == "http":
        with_threads(host, requests, concurrency)
    else:
        asyncio.run(with_asyncio(host, requests, concurrency))
    print(json.dumps({"answers": requests * concurrency}))
