"""A connection to a tcp service that asks for its client's address: every byte goes through the handler, whoever speaks first."""
import queue
import socket
import time
import unittest

from tcp_world import QUEUE, TIMEOUT, Passed, read_to_end

POLICY = """
mesh test {{ trust_domain "test.example" }}
identity web = spiffe "ns/test/sa/web"
workload web {{ cgroup "web.service" identity web }}
service queue {{
  address   10.96.8.1:5672, [fd00:8::1]:5672
  protocol  tcp
  transport plaintext
  endpoint {endpoint}
}}
access queue {{ deny from any when address in [127.9.0.0/16]  allow from web }}
"""
HEAD_TIME = 15  # seconds: Patience::head_ms


class Bytes(Passed, unittest.TestCase):
    policy = POLICY
    address = QUEUE["4"]

    def test_the_server_speaks_first(self):
        said = queue.Queue()

        def serve(peer):
            peer.sendall(b"220 mail.example\r\n")
            said.put(peer.recv(100))

        self.serving(serve)
        with self.connect() as sock:
            self.assertEqual(sock.recv(100), b"220 mail.example\r\n")
            sock.sendall(b"QUIT\r\n")
            self.assertEqual(said.get(timeout=TIMEOUT), b"QUIT\r\n")
            self.assertEqual(read_to_end(sock), (b"", "closed"))

    def test_nobody_waits_for_the_client_to_speak(self):
        """Where listeners defer it is a second for each connection."""
        self.serving(lambda peer: peer.sendall(b"hello"))
        began = time.monotonic()
        for _ in range(20):
            with self.connect() as sock:
                self.assertEqual(read_to_end(sock), (b"hello", "closed"))
        self.assertLess(time.monotonic() - began, 15)

    def test_the_client_speaks_first(self):
        for sent in (b"x", b"\x16\x03\x01\x00\x05hello", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\0" * 5000):
            with self.subTest(sent[:8]), self.connect() as sock:
                sock.sendall(sent)
                sock.shutdown(socket.SHUT_WR)
                self.assertEqual(read_to_end(sock), (sent, "closed"))

    def test_nobody_says_anything(self):
        """An end is passed on at once, and nobody is bound to say anything in some time."""
        with self.connect() as sock:
            sock.shutdown(socket.SHUT_WR)
            self.assertEqual(read_to_end(sock), (b"", "closed"))
        with self.connect() as sock:
            time.sleep(HEAD_TIME + 2)
            sock.sendall(b"still there")
            self.assertEqual(sock.recv(100), b"still there")

    def test_what_the_client_dialled_is_what_it_sees(self):
        with self.connect() as sock:
            self.assertEqual(sock.getpeername()[:2], self.address)


class BytesByThreeWorkers(Bytes):
    workers = 3


class BytesOfIPv6(Bytes):
    host = "::1"
    address = QUEUE["6"]


class BytesOfMappedAddresses(Bytes):
    address = QUEUE["mapped"]


if __name__ == "__main__":
    unittest.main()
