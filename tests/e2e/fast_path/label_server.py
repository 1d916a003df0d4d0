"""Answers every request with an empty 200 that says the server's label: python3 label_server.py LABEL; prints its port."""
import socket
import sys
import threading


def serve(peer, answer):
    waiting = b""
    while True:
        while b"\r\n\r\n" not in waiting:
            data = peer.recv(65536)
            if not data:
                return peer.close()
            waiting += data
        _, _, waiting = waiting.partition(b"\r\n\r\n")
        peer.sendall(answer)


listener = socket.create_server(("127.0.0.1", 0), backlog=128)
print(listener.getsockname()[1], flush=True)
text = f"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-Endpoint: {sys.argv[1]}\r\n\r\n".encode()
while True:
    threading.Thread(target=serve, args=(listener.accept()[0], text), daemon=True).start()
