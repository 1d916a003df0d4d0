"""No byte reaches a server but those of whole requests that were decided: clients that write as nobody expects."""
import os
import random
import select
import socket
import unittest

from pattern import fnv, pattern
from wire import Client, expect_answer, get, request
from world import Case, Excuse, first_requests

MSG_MORE = 0x8000
MSG_ZEROCOPY, SO_ZEROCOPY = 0x4000000, 60

# What stands between the answers of servers: how, and whether it has a body.
KINDS = [
    ("GET", "/v1/echo", None), ("GET", "/v2/size/500", None), ("POST", "/v1/echo", 200), ("HEAD", "/v2/size/9", None),
    ("POST", "/v2/size/3", 9000), ("GET", "/here", None), ("GET", "/v1/deny", None), ("GET", "/v1/chunked/700", None),
]


def make(kind, name):
    method, path, body = kind
    target = f"{path}/{name}"
    return method, target, request(method, target, body=None if body is None else pattern(body))


class Pipelining(Case):
    def expect(self, client, method, target):
        response = client.read_response(method)
        if target.startswith("/here"):
            self.assertEqual((response.status, response.body), (200, b"hello from the mesh"))
        elif "/deny/" in target:
            self.assertEqual((response.status, response.x_heddle_rule), (403, "access echo/path"))
        else:
            self.assertEqual((response.status, response.x_target, response.x_endpoint), (200, target, target[1:3]))

    def warm(self, client):
        for i in range(3):
            expect_answer(self, client.get(f"/v1/echo/warm{i}"), f"/v1/echo/warm{i}", "v1")

    def test_several_in_one_write(self):
        draw = random.Random(3)
        for count in (2, 3, 7, 20, 50, 100):
            for kinds in (KINDS[:1], KINDS[:2], KINDS[:5], KINDS):
                with self.subTest(count=count, kinds=len(kinds)), Client() as client:
                    self.warm(client)
                    made = [make(draw.choice(kinds), f"{count}-{i}") for i in range(count)]
                    client.send(b"".join(data for _, _, data in made))
                    for method, target, _ in made:
                        self.expect(client, method, target)
                    self.warm(client)

    def test_several_and_a_fraction(self):
        """The rest comes later, and may be what is denied."""
        with Client() as client:
            for number in range(60):
                self.warm(client)
                made = [make(KINDS[(number + i) % 5], f"{number}-{i}") for i in range(1 + number % 3)]
                last = make(KINDS[number % len(KINDS)], f"{number}-last")
                cut = 1 + number * 7 % (len(last[2]) - 1)
                client.send(b"".join(data for _, _, data in made) + last[2][:cut])
                for method, target, _ in made:
                    self.expect(client, method, target)
                client.send(last[2][cut:])
                self.expect(client, *last[:2])

    def test_a_fraction_in_front_of_the_next(self):
        with Client() as client:
            for number in range(60):
                self.warm(client)
                first, second = make(KINDS[number % 5], f"{number}-a"), make(KINDS[number * 3 % 8], f"{number}-b")
                both = first[2] + second[2]
                cut = len(first[2]) - 1 - number % 20
                client.send(both[:cut])
                client.send(both[cut:])
                self.expect(client, *first[:2])
                self.expect(client, *second[:2])

    def test_split_at_every_byte(self):
        """The second part follows at once, or when nothing more is on its way."""
        for kind in (KINDS[0], ("POST", "/v1/echo", 30), ("GET", "/v1/deny", None)):
            with Client() as client:
                data = make(kind, "s")[2]
                whole = Excuse("not_whole", "a request in two writes", len(data))
                rest = [Excuse(reason, "its second write", len(data)) for reason in ("unread", "not_armed")]
                with self.world.on_fast_path(self, whole, *rest, Excuse("answered", "403"), *first_requests(1)):
                    for cut in range(1, len(data)):
                        client.send(data[:cut])
                        if cut % 2:
                            self.wait_until_sent(client)
                        client.send(data[cut:])
                        self.expect(client, kind[0], kind[1] + "/s")
                        self.warm(client)

    @staticmethod
    def wait_until_sent(client):
        """Until the other side has acknowledged everything: SIOCOUTQ."""
        import fcntl
        import struct

        while struct.unpack("i", fcntl.ioctl(client.socket, 0x5411, b"\0" * 4))[0]:
            pass

    def test_a_body_in_a_second_message(self):
        """Its head does not leave by itself: another thread's bytes could come between the two."""
        with Client() as client:
            self.warm(client)
            for number in range(12):
                target = f"/v{1 + number % 2}/echo/apart{number}"
                data = request("POST", target, body=pattern(2 + 97 * number))
                cut = data.find(b"\r\n\r\n") + 4 + number % 2
                before = self.world.fast_path()
                client.send(data[:cut])
                client.send(data[cut:])
                self.expect(client, "POST", target)
                after = self.world.fast_path()
                self.assertEqual(after["requests"], before["requests"])
                self.assertEqual(after["not_whole"], before["not_whole"] + 1)
                self.warm(client)

    def test_one_byte_at_a_time(self):
        for kind in KINDS[:5]:
            with Client() as client:
                self.warm(client)
                method, target, data = make(kind, "one")
                for i in range(min(len(data), 400)):
                    client.send(data[i:i + 1])
                client.send(data[400:])
                self.expect(client, method, target)
                self.warm(client)

    def test_many_elements_of_one_message(self):
        """A message that lies in the kernel as many elements is looked at as a whole."""
        with Client() as client:
            self.warm(client)
            for number in range(50):
                method, target, data = make(KINDS[number % 5], f"iov{number}")
                size = 1 + number % 13
                parts = [data[i:i + size] for i in range(0, min(len(data), size * 500), size)]
                parts.append(data[size * 500:])
                self.assertEqual(client.socket.sendmsg(parts), len(data))
                self.expect(client, method, target)

    def test_heads_of_every_size(self):
        """Up to what the kernel looks at, beyond it, and where a page ends."""
        with Client() as client:
            self.warm(client)
            for size in [*range(900, 1100, 37), *range(4000, 4120, 13), *range(8000, 8300, 31), 16000, 33000, 60000]:
                target = f"/v1/echo/{size}"
                head = get(target, "X-Fill: ")
                data = get(target, "X-Fill: " + "f" * (size - len(head)))
                self.assertEqual(len(data), size)
                client.send(data)
                expect_answer(self, client.read_response(), target, "v1")

    def test_bodies_that_look_like_requests(self):
        evil = get("/v1/deny/x") * 3
        with Client() as client:
            self.warm(client)
            for number in range(100):
                target = f"/v1/echo/{number}"
                data = request("POST", target, f"X-Body-Fnv: {fnv(evil)}", body=evil)
                if number % 3 == 0:
                    client.send(data)
                else:
                    cut = (data.find(b"\r\n\r\n") + 4, len(data) - len(evil) + len(evil) // 3)[number % 3 - 1]
                    client.send(data[:cut])
                    client.send(data[cut:])
                expect_answer(self, client.read_response(), target, "v1")

    def test_a_body_of_another_length(self):
        """What is behind the announced end is a request of its own, what is missing is waited for."""
        with Client() as client:
            self.warm(client)
            for number in range(40):
                body = pattern(50)
                data = request("POST", f"/v1/echo/{number}", "Content-Length: 50") + body + get(f"/v1/deny/{number}")
                client.send(data[:len(data) - number % 20])
                if number % 20:
                    client.send(data[len(data) - number % 20:])
                expect_answer(self, client.read_response(), f"/v1/echo/{number}", "v1")
                self.assertEqual(client.read_response().status, 403)

    def test_sendfile_and_splice(self):
        """From a file and from a pipe: whole, in pieces, several at once, and what is denied."""
        for way in (self.sendfile, self.splice):
            with self.subTest(way=way.__name__), Client() as client:
                self.warm(client)
                for number in range(60):
                    made = [make(KINDS[(number + i) % len(KINDS)], f"{number}-{i}") for i in range(1 + number % 3)]
                    data = b"".join(each for _, _, each in made)
                    sizes = [len(data)] if number % 2 else [len(data) // 3, len(data) - len(data) // 3]
                    way(client.socket, data, sizes)
                    for method, target, _ in made:
                        self.expect(client, method, target)
                    self.warm(client)

    @staticmethod
    def sendfile(to, data, sizes):
        file = os.memfd_create("request")
        os.write(file, data)
        os.lseek(file, 0, os.SEEK_SET)
        for size in sizes:
            while size:
                size -= os.sendfile(to.fileno(), file, None, size)
        os.close(file)

    @staticmethod
    def splice(to, data, sizes):
        source, sink = os.pipe()
        for size in sizes:
            os.write(sink, data[:size])
            data = data[size:]
            while size:
                size -= os.splice(source, to.fileno(), size)
        os.close(source)
        os.close(sink)

    def test_zero_copy(self):
        """The kernel reads the client's memory when it sends: what is decided must be what the server gets."""
        with Client() as client:
            client.socket.setsockopt(socket.SOL_SOCKET, SO_ZEROCOPY, 1)
            self.warm(client)
            for number in range(100):
                method, target, data = make(("GET", "/v1/echo", None) if number % 3 else ("POST", "/v2/echo", 30000), f"z{number}")
                memory = bytearray(data)
                client.socket.send(memory, MSG_ZEROCOPY)
                self.expect(client, method, target)
                while select.select([], [], [client.socket], 0)[2]:
                    try:
                        client.socket.recvmsg(0, 512, socket.MSG_ERRQUEUE)
                    except BlockingIOError:
                        break

    def test_more_to_come(self):
        """MSG_MORE and TCP_CORK: what is held back is not lost."""
        with Client() as client:
            self.warm(client)
            for number in range(40):
                target = f"/v1/echo/{number}"
                data = get(target) if number % 2 else request("POST", target, body=pattern(100))
                cut = (len(data), 10, len(data) - 3, len(data) - 50)[number % 4]
                client.socket.send(data[:cut], MSG_MORE)
                client.socket.send(data[cut:] or get("/v1/echo/second"))
                expect_answer(self, client.read_response(), target, "v1")
                if cut == len(data):
                    expect_answer(self, client.read_response(), "/v1/echo/second", "v1")
            client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
            for number in range(10):
                client.send(get(f"/v1/echo/{number}"))
                expect_answer(self, client.read_response(), f"/v1/echo/{number}", "v1")


if __name__ == "__main__":
    unittest.main()
