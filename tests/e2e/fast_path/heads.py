"""Heads that are malformed, or could be read in two ways, and odd ones that are neither."""

CONTROLS = [*range(0x00, 0x09), *range(0x0a, 0x20), 0x7f]
INNER = "GET /v1/deny/smuggled HTTP/1.1\r\nHost: echo\r\n\r\n"

# Lengths and encodings that some reader takes for another one.
LENGTHS = ["Content-Length: 5", "Content-Length: 0", "Content-Length: 05x", "Content-Length: +5", "Content-Length: -5", "Content-Length: 0x5",
           "Content-Length: 5,5", "Content-Length: 5 5", "Content-Length:", "Content-Length: ", "Content-Length: five", "Content-Length: 5;",
           "Content-Length: 1234567890123456789", "Content-Length: 99999999999999999999999", "Content-Length: \"5\"",
           "Content-Length : 5", " Content-Length: 5", "Content-Length\t: 5", "Content-Length: 5\r\n 0", "Content-Length: 5\nX: y",
           "Content-Length: 5\rX: y", "Content-Length: 5.0", "Content-Length: 5e0", "Content-Length:\x0b5", "Content-Length: 5\x00"]
ENCODINGS = ["Transfer-Encoding: chunked", "Transfer-Encoding: CHUNKED", "Transfer-Encoding: xchunked", "Transfer-Encoding: chunked, chunked",
             "Transfer-Encoding: identity", "Transfer-Encoding: gzip, chunked", "Transfer-Encoding: chunked, identity",
             "Transfer-Encoding:\x0bchunked", "Transfer-Encoding : chunked", " Transfer-Encoding: chunked", "Transfer-Encoding\t: chunked",
             "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
             "Transfer-Encoding:\r\n chunked", "Transfer-Encoding: \"chunked\"", "Transfer-Encoding: chunked;q=1", "Transfer-Encoding:",
             "Transfer-Encoding: chunked\x00", "X: y\nTransfer-Encoding: chunked", "X: y\rTransfer-Encoding: chunked"]
# Of these, one alone is a request that can be read in one way.
LEGAL_ALONE = {"Content-Length: 5", "Content-Length: 0", "Transfer-Encoding: chunked", "Transfer-Encoding: CHUNKED"}

HOSTS = ["", "Host: echo\r\nHost: echo\r\n", "Host: echo\r\nHost: evil\r\n", "Host: echo\r\nhOST: evil\r\n", "Host:\r\n", "Host: \r\n",
         "Host: user@echo\r\n", "Host: echo.\r\n", "Host: .echo\r\n", "Host: a..b\r\n", "Host: echo:\r\n", "Host: echo:123456\r\n", "Host: echo:x\r\n",
         "Host: echo evil\r\n", "Host: echo,evil\r\n", "Host: echo/x\r\n", "Host: [::1\r\n", "Host: []\r\n", "Host: %65cho\r\n", "Host : echo\r\n",
         " Host: echo\r\n", "Host\r\n", ": echo\r\n", "Host: echo\r\n evil\r\n", "Host: ec\x00ho\r\n", "Host: \xe9cho\r\n"]

LINES = ["GET  /v1/echo/x HTTP/1.1", "GET /v1/echo/x  HTTP/1.1", " GET /v1/echo/x HTTP/1.1", "GET /v1/echo/x HTTP/1.1 ", "GET\t/v1/echo/x HTTP/1.1",
         "GET /v1/echo/x\tHTTP/1.1", "GET /v1/echo/x", "GET /v1/echo/x HTTP/1.2", "GET /v1/echo/x HTTP/2.0", "GET /v1/echo/x HTTP/0.9",
         "GET /v1/echo/x http/1.1", "GET /v1/echo/x HTTP/11", "GET /v1/echo/x HTTP/1.1x", "GET /v1/echo/x HTTP/1.10", "GET /v1/echo/x XHTTP/1.1",
         "get /v1/echo/x HTTP/1.1", "Get /v1/echo/x HTTP/1.1", "GE T /v1/echo/x HTTP/1.1", "-GET /v1/echo/x HTTP/1.1", "G3T /v1/echo/x HTTP/1.1",
         "/v1/echo/x HTTP/1.1", "GET HTTP/1.1", "GET", "GET v1/echo/x HTTP/1.1", "GET * HTTP/1.1", "OPTIONS * HTTP/1.1", "GET echo:80 HTTP/1.1",
         "GET https://echo/v1/echo/x HTTP/1.1", "GET http:///v1/echo/x HTTP/1.1", "GET http://evil/v1/echo/x HTTP/1.1",
         "GET http://u@echo/v1/echo/x HTTP/1.1", "GET http:/echo/v1/echo/x HTTP/1.1", "PRI * HTTP/2.0", "GET /v1/echo/\u00e9 HTTP/1.1",
         "\r\nGET /v1/echo/x HTTP/1.1", "\nGET /v1/echo/x HTTP/1.1", "GET /v1/echo/x HTTP/1.1\r", "GET /v1/echo/x\r\nHTTP/1.1"]

PATHS = ["//", "/v1//echo", "/v1/echo//x", "/v1/./echo", "/v1/../v2/echo/x", "/v1/echo/..", "/v1/echo/.", "/v1\\echo", "/v1/echo;x", "/v1/echo#x",
         "/v1/echo/%2e", "/v1/echo/%2E%2e", "/v1/echo/%2f", "/v1/echo%5Cx", "/v1/echo/%00", "/v1/echo/%", "/v1/echo/%4", "/v1/echo/%zz", "/v1/echo/%u0041",
         "/v1/echo/%41", "/v1/echo/%7e", "/v1/%64eny/x", "/v1/echo/x?a=%2f", "/v1/echo/x?a=%zz", "/v1/echo/x?a#b", "/v1/echo/x?%41", "/v1/echo/%%41",
         "http://echo/v1/../v2", "http://echo//v1/echo"]

FIELDS = ["X", "X\r\n: y", ": y", "X y: z", "X\t: y", "X@: y", "X[: y", "X\x80: y", "(X): y", "X: a\r\n b", "X: a\r\n\tb", " X: y", "\tX: y", "X: y\rZ: w",
          "Connection: host", "Connection: content-length", "Connection: transfer-encoding", "Connection: close, X-Deny", "Connection: x-split",
          "Connection: " + ", ".join(f"x{i}" for i in range(65))]

RAW = ["\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "\0\0\0\0", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
       "\x04\x01\x00\x50\x7f\x00\x00\x01\x00", "SSH-2.0-x\r\n", "\xef\xbb\xbfGET /v1/echo/x HTTP/1.1\r\nHost: echo\r\n\r\n"]


def refused():
    """(name, bytes, status) of what no server may see a byte of."""
    good = "GET /v1/echo/x HTTP/1.1\r\nHost: echo\r\nX-Test: some value\r\n\r\n"
    # A control byte anywhere but around a value.
    for place, text in (("method", "G{}ET /v1/echo/x HTTP/1.1\r\nHost: echo\r\n\r\n"), ("target", "GET /v1/ec{}ho/x HTTP/1.1\r\nHost: echo\r\n\r\n"),
                        ("query", "GET /v1/echo/x?a{}b HTTP/1.1\r\nHost: echo\r\n\r\n"), ("version", "GET /v1/echo/x HTTP/1{}.1\r\nHost: echo\r\n\r\n"),
                        ("name", "GET /v1/echo/x HTTP/1.1\r\nHost: echo\r\nX-T{}est: v\r\n\r\n"), ("colon", "GET /v1/echo/x HTTP/1.1\r\nHost: echo\r\nX{}: v\r\n\r\n"),
                        ("value", "GET /v1/echo/x HTTP/1.1\r\nHost: echo\r\nX-Test: v{}w\r\n\r\n")):
        for code in CONTROLS:
            yield f"{code:#04x} in {place}", text.format(chr(code)), 400
    for code in (0x80, 0xa0, 0xff):
        for place in ("GET", "/v1/echo", "HTTP/1", "X-Test"):
            yield f"{code:#04x} behind {place}", good.replace(place, place + chr(code)), 400
    # Each line end as LF alone, CR alone, or reversed.
    ends = good.count("\r\n")
    for i in range(ends):
        for end in ("\n", "\r", "\n\r", "\r\r\n"):
            parts = good.split("\r\n")
            yield f"{end!r} as line end {i}", "\r\n".join(parts[:i + 1]) + end + "\r\n".join(parts[i + 1:]), 400
    head = "POST /v1/echo/x HTTP/1.1\r\nHost: echo\r\n"
    for field in LENGTHS + ENCODINGS:
        if field not in LEGAL_ALONE:
            yield field, f"{head}{field}\r\n\r\n0\r\n\r\n{INNER}", 400
    for length in LENGTHS[:4]:
        for encoding in ENCODINGS:
            yield f"{length} and {encoding}", f"{head}{length}\r\n{encoding}\r\n\r\n0\r\n\r\n{INNER}", 400
            yield f"{encoding} and {length}", f"{head}{encoding}\r\n{length}\r\n\r\n0\r\n\r\n{INNER}", 400
    for first in LENGTHS[:2]:
        for second in ["Content-Length: 5", "Content-Length: 0", "content-length: 6", "CONTENT-LENGTH:5"]:
            yield f"{first} and {second}", f"{head}{first}\r\n{second}\r\n\r\nhello{INNER}", 400
    yield "chunks for HTTP/1.0", "POST /v1/echo/x HTTP/1.0\r\nHost: echo\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + INNER, 400
    for body in ("zz\r\n", "5 \r\nhello\r\n0\r\n\r\n", "1\nx\n0\n\n", "-1\r\n", "0x5\r\nhello\r\n0\r\n\r\n", "5\r\nhelloXX0\r\n\r\n",
                 "ffffffffffffffffff\r\n", "0\r\nContent-Length: 5\r\n\r\n", "5;a\nb\r\nhello\r\n0\r\n\r\n"):
        yield f"chunks {body!r}", f"{head}Transfer-Encoding: chunked\r\n\r\n{body}{INNER}", 400
    for host in HOSTS:
        yield f"host {host!r}", f"GET /v1/echo/x HTTP/1.1\r\n{host}\r\n", 400
    for line in LINES:
        yield f"line {line!r}", f"{line}\r\nHost: echo\r\n\r\n", 400
    for path in PATHS:
        yield f"path {path!r}", f"GET {path} HTTP/1.1\r\nHost: echo\r\n\r\n", 400
    for field in FIELDS:
        yield f"field {field!r}", f"GET /v1/echo/x HTTP/1.1\r\nHost: echo\r\n{field}\r\n\r\n", 400
    for raw in RAW:
        yield f"raw {raw!r}", raw, 400
    yield "CONNECT", "CONNECT echo:80 HTTP/1.1\r\nHost: echo:80\r\n\r\n", 405
    yield "a target of 16,385 bytes", "GET /v1/echo/" + "a" * (16385 - 9) + " HTTP/1.1\r\nHost: echo\r\n\r\n", 414
    yield "a head of more than 64 KiB", "GET /v1/echo/x HTTP/1.1\r\nHost: echo\r\nX: " + "x" * 66000 + "\r\n\r\n", 431
    yield "no line end in 64 KiB", "G" * 70000, 431


def odd():
    """(name, bytes) of what is allowed all the same: each is one request, answered with 200."""
    for field in ("X:", "X:y", "X: y ", "X:\t y\t", "X: a\tb", "X: \x80\xff", "x-test: 1\r\nx-test: 2", "X!#$%&'*+-.^_`|~9: y", "X: \"a\r\nY: \"b",
                  "Connection: close", "Connection: keep-alive", "Connection: x", "Upgrade: h2c", "Upgrade: websocket\r\nConnection: upgrade",
                  "Keep-Alive: 5", "TE: trailers", "Expect: 100-continue", "Content-Length:5\r\nX: z", "Content-Length: 0005\r\nX: z"):
        yield field, f"GET /v1/echo/x HTTP/1.1\r\nHost: echo\r\n{field}\r\n\r\n" + ("\0\1\2\3\4" if "5\r\n" in field else "")
    for host in ("echo", "echo:80", "ECHO", "10.96.7.1", "[fd00:7::1]:80", "other-host.example", "_x", "echo:0"):
        yield f"host {host}", f"GET /v1/echo/x HTTP/1.1\r\nHost: {host}\r\n\r\n"
    for target in ("/v1/echo/x?", "/v1/echo/x?a//b/../c", "/v1/echo/x?a=b;c", "/v1/echo/%20", "/v1/echo/%c3%A9", "/v1/echo/%25", "/v1/echo/!$&'()*+,=:@",
                   "/v1/echo/{a}|<b>^`[c]\"", "/v1/echo/...", "/v1/echo/.x", "http://echo/v1/echo/x", "HTTP://ECHO/v1/echo/x"):
        yield f"target {target}", f"GET {target} HTTP/1.1\r\nHost: echo\r\n\r\n"
    for method in ("A", "X-Y", "PATCH", "TRACE", "PROPFIND", "M-", "GETT"):
        yield f"method {method}", f"{method} /v1/echo/x HTTP/1.1\r\nHost: echo\r\n\r\n"
    yield "HTTP/1.0", "GET /v1/echo/x HTTP/1.0\r\nHost: echo\r\n\r\n"
    yield "HTTP/1.0 without host", "GET /v1/echo/x HTTP/1.0\r\n\r\n"
    yield "HTTP/1.0 that stays", "GET /v1/echo/x HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
    yield "a target of 16,384 bytes", "GET /v1/echo/" + "a" * (16384 - 9) + " HTTP/1.1\r\nHost: echo\r\n\r\n"
