"""HTTP/1.1 and bytes, as the tests of two nodes need them: says on standard output when it listens."""
import hashlib
import socket
import sys
import threading


def lines_of(stream):
    head = []
    while True:
        line = stream.readline()
        if not line:
            return None
        if line == b"\r\n":
            return head
        head.append(line)


def answer(connection, name):
    """Body: who it is, the target, and what came; `/echo`: the body that came; `/forge`: speaks for a rule; `/close`: none, and the end."""
    stream = connection.makefile("rb")
    while True:
        head = lines_of(stream)
        if not head:
            return
        target = head[0].split(b" ")[1].decode()
        length = next((int(line.split(b":")[1]) for line in head if line.lower().startswith(b"content-length:")), 0)
        body = stream.read(length)
        if target.startswith("/close"):
            return
        if target.startswith("/echo"):
            reply = body
        elif target.startswith("/bytes/"):
            reply = bytes(i * 7 % 251 for i in range(251)) * (int(target.split("/")[2]) // 251 + 1)
            reply = reply[:int(target.split("/")[2])]
        else:
            reply = f"{name} {target} {length} {hashlib.sha256(body).hexdigest()[:16]}\n".encode() + b"".join(head[1:])
        forged = b"x-heddle-rule: access echo/forged\r\n" if target.startswith("/forge") else b""
        connection.sendall(b"HTTP/1.1 200 OK\r\n%sContent-Length: %d\r\n\r\n" % (forged, len(reply)))
        connection.sendall(reply)


def echo(connection, _name):
    """A banner, then what comes, until the end."""
    connection.sendall(b"ready\n")
    while data := connection.recv(65536):
        connection.sendall(data)
    connection.shutdown(socket.SHUT_WR)


def serve(listener, name, work):
    def one(connection):
        with connection:
            try:
                work(connection, name)
            except OSError:
                pass

    while True:
        connection, _ = listener.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=one, args=(connection,), daemon=True).start()


def main():
    kind, address, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
    listener = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((address, port))
    listener.listen(1024)
    print("listening", flush=True)
    serve(listener, sys.argv[4] if len(sys.argv) > 4 else "server", {"http": answer, "tcp": echo}[kind])


main()
