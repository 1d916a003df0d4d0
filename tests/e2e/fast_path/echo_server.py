"""Answers every request with the bytes of it that arrived: python3 echo_server.py LABEL; prints its port.

The answer also says the server's label, and how many requests it has seen so far, of all connections: a request that was
denied shows in the next answer. Whatever is left of a connection at its end counts as a hundred.
"""
import re
import socket
import sys
import threading

seen, lock = 0, threading.Lock()


def end_of(data):
    """Where the first request ends; 0: not yet."""
    head, mark, body = data.partition(b"\r\n\r\n")
    if not mark:
        return 0
    begin = len(head) + 4
    if re.search(rb"(?i)\r\ntransfer-encoding:", head):
        last = re.search(rb"(?:^|\r\n)0\r\n(?:[^\r\n]+\r\n)*\r\n", body)
        return begin + last.end() if last else 0
    length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
    end = begin + (int(length.group(1)) if length else 0)
    return end if end <= len(data) else 0


def count(number):
    global seen
    with lock:
        seen += number
        return seen


def serve(peer):
    waiting = b""
    while True:
        while not (end := end_of(waiting)):
            data = peer.recv(1 << 17)
            if not data:
                count(100 if waiting else 0)
                return peer.close()
            waiting += data
        request, waiting = waiting[:end], waiting[end:]
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(request)}\r\nX-Endpoint: {sys.argv[1]}\r\nX-Seen: {count(1)}\r\n\r\n"
        peer.sendall(head.encode() + request)


listener = socket.create_server(("127.0.0.1", 0), backlog=128)
print(listener.getsockname()[1], flush=True)
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
