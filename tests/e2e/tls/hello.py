"""ClientHellos byte by byte, right ones and wrong ones (RFC 8446, section 4.1.2; RFC 6066, section 3)."""

HOST_NAME = 0
LONGEST_RECORD = 16384


def sized(content, size):
    return len(content).to_bytes(size, "big") + content


def extension(number, content):
    return number.to_bytes(2, "big") + sized(content, 2)


def name_list(*names, kind=HOST_NAME):
    return sized(b"".join(bytes([kind]) + sized(name, 2) for name in names), 2)


def server_name(*names, kind=HOST_NAME):
    """The extension with these names."""
    return extension(0, name_list(*names, kind=kind))


def handshake(*extensions, size=None):
    """The message, of `size` bytes in all if that is said: then a last extension fills it up."""
    plain = [extension(43, b"\2\3\4"), extension(10, b"\0\2\0\x1d"), extension(13, b"\0\2\4\3"),
             extension(51, sized(b"\0\x1d" + sized(b"k" * 32, 2), 2))]
    all_of_them = b"".join([*extensions, *plain])
    start = b"\3\3" + b"r" * 32 + sized(b"s" * 32, 1) + sized(b"\x13\1\x13\2\xc0\x2f", 2) + sized(b"\0", 1)
    if size is not None:
        missing = size - 4 - len(start) - 2 - len(all_of_them) - 4
        all_of_them += extension(21, b"\0" * missing)
    return b"\1" + sized(start + sized(all_of_them, 2), 3)


def records(message, size=LONGEST_RECORD, kind=22):
    return b"".join(bytes([kind]) + b"\3\1" + sized(message[at:at + size], 2) for at in range(0, len(message), size))


def hello(name=None, size=None, record=LONGEST_RECORD):
    """What a client sends that asks for `name`; None: for none."""
    return records(handshake(*([] if name is None else [server_name(name)]), size=size), record)


ALERT = b"\x15\3\1\0\2\1\0"
SSL2 = b"\x80\x2e\1\3\1\0\x15\0\0\0\x10" + b"\0\0\x39\0\0\x38\0\0\x35\0\0\x16\0\0\x13\0\0\x0a\0\0\x07" + b"c" * 16

# Nothing of these may reach a server.
MALFORMED = {
    "a request": b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n",
    "a line": b"\n",
    "zeros": b"\0" * 100,
    "SSL 2": SSL2,
    "an alert": ALERT,
    "an alert, then a ClientHello": ALERT + hello(b"a.example"),
    "an alert between its records": records(handshake(server_name(b"a.example"))[:20]) + ALERT +
                                    records(handshake(server_name(b"a.example"))[20:]),
    "a change of ciphers, then a ClientHello": b"\x14\3\1\0\1\1" + hello(b"a.example"),
    "an empty record, then a ClientHello": b"\x16\3\1\0\0" + hello(b"a.example"),
    "a record that is too long": b"\x16\3\1\x48\1",
    "a ServerHello": records(b"\2" + handshake(server_name(b"a.example"))[1:]),
    "application data": records(b"secret", kind=23),
    "no list of names": records(handshake(extension(0, b""))),
    "an empty list of names": records(handshake(extension(0, b"\0\0"))),
    "an empty name": records(handshake(server_name(b""))),
    "two names": records(handshake(server_name(b"a.example", b"secret.example"))),
    "the same name twice": records(handshake(server_name(b"a.example", b"a.example"))),
    "a name of another kind": records(handshake(server_name(b"a.example", kind=1))),
    "a name that goes on behind its list": records(handshake(extension(0, name_list(b"a.example") + b"x"))),
    "a list that goes on behind its name": records(handshake(extension(0, sized(b"\0" + sized(b"a.example", 2) + b"x", 2)))),
    "the extension twice": records(handshake(server_name(b"a.example"), server_name(b"secret.example"))),
    "a message that ends in the middle of its extensions": records(b"\1" + sized(handshake(server_name(b"a.example"))[4:-3], 3)),
}
