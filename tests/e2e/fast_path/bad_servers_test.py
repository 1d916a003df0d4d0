"""Servers that do not do what they should: the client gets a right answer, 502 or a visible end; never bytes of another
exchange, and nobody else notices."""
import threading
import unittest

from wire import Client, Ended, expect_answer, get
from world import Case

RIGHT, BAD_GATEWAY, CUT, CUT_OR_BAD = "right", "502", "cut", "cut or 502"

# path behind the endpoint, what the client gets, bytes of the body that are pattern (None: some text)
TABLE = [
    ("twice", RIGHT, None),                    # two answers in one write
    ("twice-later", RIGHT, None),              # in two, the second unasked
    ("longer", RIGHT, b"four"),                # a longer body than was announced
    ("longer-big/300000", RIGHT, 300000),
    ("last", RIGHT, None),                     # closes when it has answered
    ("cut/100/10", CUT, None),                 # a shorter body than was announced, and a close
    ("cut/300000/270000", CUT, None),
    ("cut/100/0", CUT, None),
    ("cut-reset/100/10", CUT_OR_BAD, None),    # and a reset
    ("cut-reset/600000/400000", CUT_OR_BAD, None),
    ("cut-chunked", CUT, None),
    ("cut-head", BAD_GATEWAY, None),
    ("dying", BAD_GATEWAY, None),              # reads the request and closes
    ("dying-reset", BAD_GATEWAY, None),
    ("pieces/1/100", RIGHT, 100),              # head and body in writes of one byte
    ("split-head/1", RIGHT, None),             # the head split over messages, with a pause
    ("split-head/30", RIGHT, None),
    ("drip/1/50/700", RIGHT, 700),
    ("big-head/7000", RIGHT, b"big\n"),
    ("big-head/9000", RIGHT, b"big\n"),
    ("big-head/60000", RIGHT, b"big\n"),
    ("big-head/70000", BAD_GATEWAY, None),     # a head above 64 KiB
    ("interim/8", RIGHT, None),
    *((f"malformed/{i}", BAD_GATEWAY, None) for i in range(18)),       # two lengths, folded lines, ... : answer.cpp
    *((f"malformed/{i}/7", BAD_GATEWAY, None) for i in range(18)),     # in writes of seven bytes
]
ROUNDS = 4


class BadServers(Case):
    def setUp(self):
        if not self.world.servers.alive():
            self.world.start_servers()

    def good(self, client, name, endpoint="v1"):
        target = f"/{endpoint}/echo/{name}"
        expect_answer(self, client.get(target), target, endpoint)

    def exchange(self, client, path, outcome, body, number):
        """False: the connection is no more."""
        target = f"/v1/{path}/n{number}"
        client.send(get(target))
        try:
            response = client.read_response()
        except Ended as end:
            # Silence is no visible end.
            self.assertIn((outcome, end.how), [(each, how) for each in (CUT, CUT_OR_BAD) for how in ("end", "reset")], str(end))
            return False
        if outcome in (BAD_GATEWAY, CUT_OR_BAD):
            self.assertEqual(response.status, 502)
            return True
        self.assertEqual(outcome, RIGHT, f"a whole answer of {len(response.body)} bytes")
        # The server has only this thread: when it says something else, it has written all that was not asked for. What it
        # wrote later could not be told from an answer to the next request.
        self.world.servers.statistics()
        expect_answer(self, response, target, "v1", body if isinstance(body, int) else None)
        if isinstance(body, bytes):
            self.assertEqual(response.body, body)
        return True

    def test_table(self):
        stop = threading.Event()
        failures, asked = [], []

        def others():
            try:
                with Client() as client:
                    while not stop.is_set():
                        self.good(client, f"other{len(asked)}", "v2")
                        asked.append(client)
            except Exception as failure:  # shown below
                failures.append(failure)

        threads = [threading.Thread(target=others) for _ in range(2)]
        for thread in threads:
            thread.start()
        client = Client()
        for number in range(ROUNDS):
            for path, outcome, body in TABLE:
                with self.subTest(path=path, number=number):
                    for i in range(number):
                        self.good(client, f"before{i}")
                    if not self.exchange(client, path, outcome, body, number):
                        client.close()
                        client = Client()
                    # Its next exchanges, here and elsewhere, are its own.
                    for i in range(3):
                        self.good(client, f"after{i}", ("v1", "v2")[i % 2])
        client.close()
        stop.set()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])
        self.assertGreater(len(asked), 100)

    def test_closes_with_the_request_unread(self):
        """A failed request: 502, nothing else; and when the server is well again, so is the client."""
        with Client() as client, Client() as other:
            for number in range(10):
                for i in range(3):
                    self.good(client, i)
                    self.good(other, i, "v2")
                self.world.servers.say("mode v1 unread")
                self.assertEqual(client.get("/v1/echo/unread").status, 502)
                self.good(other, "meanwhile", "v2")
                self.world.servers.say("mode v1 normal")
            self.good(client, "again")

    def test_answers_before_it_reads(self):
        with Client() as client:
            for number in range(10):
                for i in range(3):
                    self.good(client, i)
                self.world.servers.say("mode v1 early")
                response = client.get("/v1/echo/early")
                self.assertEqual((response.status, response.x_target, response.body), (200, "early", b"early"))
                self.world.servers.say("mode v1 normal")
                self.good(client, "again")

    def test_speaks_without_being_asked(self):
        """On every idle connection; nobody ever gets to see it."""
        clients = [Client() for _ in range(8)]
        for number in range(10):
            for client in clients:
                for i in range(3):
                    self.good(client, f"{number}-{i}", ("v1", "v2")[i % 2])
            self.assertGreater(self.world.servers.say("shout v1"), 0)
            for client in clients:
                for i in range(3):
                    self.good(client, f"{number}-{i}", ("v1", "v2")[(i + number) % 2])
        for client in clients:
            client.close()

    def test_ends_idle_connections(self):
        """With FIN and with reset: the next request goes over another one."""
        for how in ("close", "reset"):
            with Client() as client:
                for number in range(20):
                    for i in range(3):
                        self.good(client, i)
                    self.assertGreater(self.world.servers.say(f"end v1 {how}"), 0)
                    self.good(client, "another")

    def test_does_not_listen_any_more(self):
        """The connections end and nothing listens: 503 at once; other endpoints serve on."""
        with Client() as client:
            for i in range(3):
                self.good(client, i)
            self.world.servers.kill()
            for _ in range(5):
                self.assertIn(client.get("/v1/echo/gone").status, (502, 503))
            self.world.start_servers()
            for i in range(5):
                self.good(client, i)

    def test_ends_in_the_middle_of_everything(self):
        """The server's process dies while answers are under way: cut or 502, and all is well when it is back."""
        for number in range(5):
            clients = [Client() for _ in range(12)]
            for client in clients:
                self.good(client, "a")
                self.good(client, "b")
            before = self.world.servers.statistics()["requests"]
            for i, client in enumerate(clients):
                client.send(get((f"/v1/held/{i}", f"/v1/size/30000000/{i}", f"/v1/drip/5/1000/300000/{i}")[i % 3]))
            # What no server has taken would be 503.
            self.world.servers.wait(lambda found: found["held"] == 4 and found["requests"] == before + 12, "requests")
            self.world.servers.kill()
            for i, client in enumerate(clients):
                try:
                    self.assertEqual(client.read_response().status, 502)
                except Ended as end:
                    self.assertIn(end.how, ("end", "reset"))
                    self.assertNotEqual(i % 3, 0, "a request without any answer is 502")
                client.close()
            self.world.start_servers()


if __name__ == "__main__":
    unittest.main()
