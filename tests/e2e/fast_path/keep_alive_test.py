"""A client that keeps its connection: every kind of request and response, and almost all of it decided in the kernel."""
import random
import sys
import unittest

from pattern import digest, pattern
from wire import Client, expect_answer, get, request
from world import Case, Excuse, eventually, first_requests

MB = 1 << 20

# name, method, path behind the endpoint, body of the request, size of the pattern in the response (None: its text)
SMALL = [
    ("GET", "GET", "echo", None, None),
    ("HEAD", "HEAD", "echo", None, None),
    ("HEAD of 1,000 bytes", "HEAD", "size/1000", None, 0),
    ("DELETE", "DELETE", "echo", None, None),
    ("OPTIONS", "OPTIONS", "echo", None, None),
    ("POST of one byte", "POST", "echo", 1, None),
    ("POST of 300 bytes", "POST", "size/300", 300, 300),
    ("PUT of 8,000 bytes", "PUT", "echo", 8000, None),
    ("POST of nothing", "POST", "echo", 0, None),
    ("GET with a length of 0", "GET", "echo", 0, None),
    ("an empty body", "GET", "size/0", None, 0),
    ("one byte", "GET", "size/1", None, 1),
    ("64 KiB", "GET", "size/65536", None, 65536),
    ("100 KB in writes of 1,000", "GET", "pieces/1000/100000", None, 100000),
    ("500 bytes in writes of one", "GET", "pieces/1/500", None, 500),
    ("204", "GET", "status/204", None, 0),
    ("304", "GET", "status/304", None, 0),
    ("304 that says a length", "GET", "not-modified", None, 0),
    ("HEAD of chunks", "HEAD", "chunked/1000", None, 0),
]
FRAMED = [
    ("no chunk", "GET", "chunked/0", None, 0),
    ("one chunk", "GET", "chunked/5", None, 5),
    ("many chunks", "GET", "chunked/100000", None, 100000),
    ("one interim response", "GET", "interim/1", None, None),
    ("three interim responses", "GET", "interim/3", None, None),
    ("interim responses of a HEAD", "HEAD", "interim/2", None, None),
    ("an answer after 5 ms", "GET", "slow/5", None, None),
    ("a head in two writes", "GET", "split-head/30", None, None),
    ("a head in writes of one byte", "GET", "pieces/1/40", None, 40),
    ("a head of 10 KB", "GET", "big-head/10000", None, None),
    ("404", "GET", "status/404", None, None),
    ("500", "GET", "status/500", None, None),
]
STATUS = {"status/204": 204, "status/304": 304, "not-modified": 304, "status/404": 404, "status/500": 500}


def exchange(test, client, case, endpoint, number, of=None):
    """One request of a table, and its answer."""
    _, method, path, body, size = case
    target = f"/{endpoint}/{path}/n{number}"
    client.send(request(method, target, *(["x-split: 1"] if of == "split" else []),
                        body=None if body is None else pattern(body)))
    response = client.read_response(method)
    expect_answer(test, response, target, None if endpoint == "any" else endpoint, size, STATUS.get(path, 200))
    test.assertEqual(response.x_body, str(body or 0))
    if path.startswith("interim/"):
        test.assertEqual(len(response.interim), int(path[8:]))
    return response.x_endpoint


class KeepAlive(Case):
    family = "4"

    def run_table(self, table, rounds, endpoints, of=None):
        draw = random.Random(7)
        seen = []
        with Client(self.family) as client:
            for number in range(rounds * len(table)):
                case = table[number % len(table)] if number < 2 * len(table) else draw.choice(table)
                endpoint = endpoints[number % len(endpoints)]
                with self.subTest(case=case[0], endpoint=endpoint, number=number):
                    seen.append(exchange(self, client, case, endpoint, number, of))
        return seen

    def test_one_endpoint(self):
        with self.world.on_fast_path(self, *first_requests(1)):
            self.run_table(SMALL, 25, ["v1"])

    def test_one_request_over_and_over(self):
        with self.world.on_fast_path(self, *first_requests(1)):
            self.run_table(SMALL[:1], 2000, ["v1"])

    def test_what_the_workload_sent_is_counted(self):
        """By who decided it, while the connection is open and when it has gone."""
        def requests():
            return next(each for each in self.world.status_now()["workloads"] if each["name"] == "web")["requests"]

        before, fast_before = requests(), self.world.fast_path()["requests"]
        for connection in (1, 2):
            with Client(self.family) as client:
                for number in range(100):
                    exchange(self, client, SMALL[0], "v1", number)
                fast = self.world.fast_path()["requests"] - fast_before
                expected = {"kernel": before["kernel"] + fast, "handler": before["handler"] + 100 * connection - fast}
                eventually(self, lambda: requests() == expected, f"{expected}")
                self.assertGreater(fast, 97 * connection)
            eventually(self, lambda: self.world.fast_path()["flows"] == 0, "its flow is free")
            self.assertEqual(requests(), expected)

    def test_framed_by_the_handler(self):
        with self.world.on_fast_path(self, *first_requests(1)):
            self.run_table(FRAMED, 20, ["v1"])

    def test_two_endpoints_by_path(self):
        with self.world.on_fast_path(self, *first_requests(1, 2)):
            self.run_table(SMALL, 25, ["v1", "v2"])

    def test_kinds_of_framing_and_endpoints_mixed(self):
        with self.world.on_fast_path(self, *first_requests(1, 3)):
            self.run_table(SMALL + FRAMED, 20, ["v1", "v2", "v3", "v2"])

    def test_round_robin(self):
        with self.world.on_fast_path(self, *first_requests(1, 3)):
            seen = self.run_table(SMALL[:6], 100, ["any"])
        for endpoint in ("v1", "v2", "v3"):
            self.assertAlmostEqual(seen.count(endpoint), 200, delta=20)

    def test_split(self):
        with self.world.on_fast_path(self, *first_requests(1, 2)):
            seen = self.run_table(SMALL[:6], 100, ["any"], "split")
        self.assertAlmostEqual(seen.count("v1"), 300, delta=100)
        self.assertEqual(seen.count("v1") + seen.count("v2"), 600)

    def test_large_bodies(self):
        wanted = digest(pattern(20 * MB))
        with self.world.on_fast_path(self, *first_requests(1, 2)), Client(self.family) as client:
            for number in range(60):
                exchange(self, client, SMALL[0], "v1", number)
                target = f"/v{1 + number % 2}/size/{20 * MB}/n{number}"
                if number % 15 == 5:
                    response = client.get(target)
                    self.assertEqual((response.x_target, digest(response.body)), (target, wanted))

    def test_answers_of_the_mesh_between(self):
        """`respond` and 403 come from the handler, in order; what follows them is fast again."""
        answered = [Excuse("answered", "respond and 403"),
                    Excuse("not_armed", "two requests of each ten follow an answer of the mesh", 12)]
        with self.world.on_fast_path(self, *answered, *first_requests(1)), Client(self.family) as client:
            for number in range(600):
                if number % 10 == 3:
                    response = client.get("/here/x")
                    self.assertEqual((response.status, response.body), (200, b"hello from the mesh"))
                elif number % 10 == 7:
                    response = client.get("/v1/echo/x", "x-deny: 1") if number % 20 == 7 else client.get("/v1/deny/x")
                    self.assertEqual(response.status, 403)
                    self.assertIn(response.x_heddle_rule, ("access echo/header", "access echo/path"))
                else:
                    exchange(self, client, SMALL[number % 8], "v1", number)

    def test_refused_ends_the_connection(self):
        for number in range(20):
            with Client(self.family) as client:
                for i in range(number % 4):
                    exchange(self, client, SMALL[0], "v1", i)
                response = client.get("/v1/echo/%2e")
                self.assertEqual((response.status, response.x_heddle_rule), (400, "mesh/path"))
                self.assertTrue(client.ended())

    def test_closed_by_the_server(self):
        """An answer until close ends the client's connection behind it."""
        for number in range(12):
            with Client(self.family) as client:
                for i in range(number % 3):
                    exchange(self, client, SMALL[0], "v1", i)
                size = (0, 1, 5000, 300000)[number % 4]
                exchange(self, client, ("until close", "GET", f"close/{size}", None, size), "v1", number)
                self.assertTrue(client.ended())

    def test_a_server_that_ends_its_connection(self):
        """`Connection: close` is between server and mesh: the client keeps its connection, and sees nothing of it."""
        with Client(self.family) as client:
            for i in range(20):
                exchange(self, client, SMALL[i % 8], "v1", i)
                response = client.get("/v1/last")
                expect_answer(self, response, "/v1/last", "v1")
                self.assertIsNone(response.connection)

    def test_bodies_in_pieces(self):
        """A body that comes in a second write is the handler's; the requests around it are not."""
        pieces = Excuse("not_whole", "a body in a second write", 100)
        rest = [Excuse(reason, "the further writes of such a body", 150) for reason in ("unread", "not_armed")]
        with self.world.on_fast_path(self, pieces, *rest, *first_requests(1)), Client(self.family) as client:
            for number in range(100):
                body = pattern(10 + 997 * (number % 40))
                target = f"/v1/echo/p{number}"
                data = request("POST", target, body=body)
                head = len(data) - len(body)
                client.send_in_pieces(data, [head, len(body) // 2] if number % 2 else [head + 3])
                response = client.read_response()
                expect_answer(self, response, target, "v1")
                self.assertEqual(response.x_body, str(len(body)))
                for i in range(5):
                    exchange(self, client, SMALL[i], "v1", number * 10 + i)

    def test_chunked_requests(self):
        """The kernel does not decide them."""
        with Client(self.family) as client:
            for number in range(30):
                data = pattern(3000)
                chunks = b"".join(b"%x\r\n%s\r\n" % (len(data[i:i + 700]), data[i:i + 700]) for i in range(0, 3000, 700))
                target = f"/v1/echo/c{number}"
                client.send(request("POST", target, "Transfer-Encoding: chunked") + chunks + b"0\r\n\r\n")
                response = client.read_response()
                expect_answer(self, response, target, "v1")
                self.assertEqual(response.x_body, "3000")
                exchange(self, client, SMALL[0], "v1", number)

    def test_expect_continue(self):
        with Client(self.family) as client:
            for number in range(10):
                exchange(self, client, SMALL[0], "v1", number)
                client.send(request("POST", f"/v1/echo/e{number}", "Content-Length: 100", "Expect: 100-continue"))
                client.send(pattern(100))
                expect_answer(self, client.read_response("POST"), f"/v1/echo/e{number}", "v1")


class OneWorker(KeepAlive):
    world_options = {"workers": 1}


class IPv6(KeepAlive):
    family = "6"


class Mapped(KeepAlive):
    family = "mapped"


class Denied(Case):
    def test_only_the_workload(self):
        """Who is not allowed gets 403 for every request, and the servers see none of them."""
        before = self.world.servers.statistics()["requests"]
        self.world.leave()
        self.world.enter("foe")
        try:
            with Client() as client:
                for number in range(50):
                    self.assertEqual(client.get(f"/v1/echo/{number}").status, 403)
        finally:
            self.world.enter("web")
        self.assertEqual(self.world.servers.statistics()["requests"], before)


PARTS = {"two_workers": [KeepAlive, Denied], "one_worker": [OneWorker], "ipv6": [IPv6], "mapped": [Mapped]}
# A part is the last argument, before unittest takes what it knows of them.
CHOSEN = [sys.argv.pop()] if sys.argv[-1] in PARTS else list(PARTS)


def load_tests(loader, _, __):
    return unittest.TestSuite(loader.loadTestsFromTestCase(each) for part in CHOSEN for each in PARTS[part])


if __name__ == "__main__":
    unittest.main()
