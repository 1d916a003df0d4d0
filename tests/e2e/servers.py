"""Small servers for tests, as threads of the test itself."""

import socket
import threading


class Answering:
    """Serves HTTP/1.1 keep-alive with one fixed answer, and keeps every byte that it was sent."""

    def __init__(self, name, address="127.0.0.1"):
        self.name = name.encode()
        self.received = bytearray()
        self.answering = threading.Event()  # cleared: requests are read, and answered when it is set again
        self.answering.set()
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._listener = socket.create_server((address, 0), family=family, backlog=1024)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self._listener.close()

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(self.name), self.name)
        pending = b""
        with connection:
            while True:
                try:
                    data = connection.recv(65536)
                except OSError:
                    return
                if not data:
                    return
                self.received += data
                pending += data
                while b"\r\n\r\n" in pending:
                    _, pending = pending.split(b"\r\n\r\n", 1)
                    self.answering.wait()
                    connection.sendall(answer)
