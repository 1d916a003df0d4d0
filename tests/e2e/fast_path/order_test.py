"""Answers come in the order of the requests, whichever way each of them goes."""
import threading
import unittest

from pattern import pattern
from wire import Client, expect_answer, get, request
from world import LONG, Case, Excuse, attack, first_requests

PAIRS = 300_000 if LONG else 20_000


class Order(Case):
    def test_pairs_over_alternating_servers(self):
        """The second request 0 to 60 microseconds after the first, to another server, which may be the faster one."""
        for microseconds in (1, 15, 60):
            found = attack("pairs", 2, PAIRS // 3, microseconds)
            print(f"{found['pairs']} pairs, the second up to {microseconds} us later: {found['misordered']} misordered", flush=True)
            self.assertEqual((found["misordered"], found["failed"], found["first"]), (0, 0, ""))
            self.assertGreater(found["pairs"], PAIRS // 4)

    def test_a_request_while_an_answer_is_unread(self):
        """What came over TCP and was not read must be read before what is redirected."""
        unread = [Excuse("answered", "respond"), Excuse("unread", "the answer before it is not read yet"),
                  Excuse("not_armed", "the handler answers what was unread", 400)]
        with self.world.on_fast_path(self, *unread, *first_requests(1, 2)), Client() as client:
            for number in range(200):
                # From the handler: an answer of the mesh, chunks, or a long one that goes on over it.
                first = ("/here/x", "/v1/chunked/3000/x", "/v1/size/400000/x")[number % 3]
                second, third = f"/v2/echo/{number}", f"/v1/size/100/{number}"
                client.send(get(first))
                self.wait_for_unread(client)
                client.send(get(second))
                client.send(get(third))
                response = client.read_response()
                if number % 3 == 0:
                    self.assertEqual(response.body, b"hello from the mesh")
                else:
                    expect_answer(self, response, first, "v1", (0, 3000, 400000)[number % 3])
                expect_answer(self, client.read_response(), second, "v2")
                expect_answer(self, client.read_response(), third, "v1", 100)
                for i in range(5):
                    expect_answer(self, client.get(f"/v1/echo/{number}-{i}"), f"/v1/echo/{number}-{i}", "v1")

    @staticmethod
    def wait_for_unread(client):
        """Until something lies in the socket."""
        import select

        select.select([client.socket], [], [])

    def test_slow_request_and_fast_ones(self):
        """The first one is held by its server while the others are sent; nobody overtakes it."""
        for kind in ("held", "slow/30"):
            with Client() as client:
                for number in range(20):
                    expect_answer(self, client.get(f"/v1/echo/w{number}"), f"/v1/echo/w{number}", "v1")
                    targets = [f"/v1/{kind}/{number}"] + [f"/v2/echo/{number}-{i}" for i in range(1 + number % 4)]
                    for target in targets:
                        client.send(get(target))
                    if kind == "held":
                        self.world.servers.wait(lambda found: found["held"] == 1, "a held request")
                        self.assertEqual(self.world.servers.say("release"), 1)
                    for target in targets:
                        expect_answer(self, client.read_response(), target)

    def test_requests_behind_each_kind_of_answer(self):
        """Two in one write: the second must not overtake the first, however the end of the first is known."""
        kinds = [("GET", "size/0", 0), ("GET", "size/5", 5), ("GET", "size/300000", 300000), ("GET", "chunked/0", 0),
                 ("GET", "chunked/90000", 90000), ("HEAD", "size/77", 0), ("GET", "status/204", 0), ("GET", "status/304", 0),
                 ("GET", "interim/2", None), ("GET", "pieces/1/300", 300), ("GET", "drip/1/40/400", 400), ("GET", "slow/3", None)]
        with Client() as client:
            for number in range(8 * len(kinds)):
                method, path, size = kinds[number % len(kinds)]
                first, second = f"/v1/{path}/{number}", f"/v{2 + number % 2}/echo/{number}"
                if number // len(kinds) % 2:
                    client.send(request(method, first) + get(second))
                else:
                    client.send(request(method, first))
                    client.send(get(second))
                response = client.read_response(method)
                self.assertEqual((response.x_target, response.x_endpoint), (first, "v1"))
                if size is not None:
                    self.assertEqual(response.body, pattern(size))
                expect_answer(self, client.read_response(), second)

    def test_many_clients_that_pipeline(self):
        def run(which):
            try:
                with Client() as client:
                    for number in range(60):
                        targets = [f"/v{1 + (number + i) % 2}/echo/{which}-{number}-{i}" for i in range(1 + number % 7)]
                        client.send(b"".join(map(get, targets)))
                        for target in targets:
                            expect_answer(self, client.read_response(), target)
            except Exception as failure:  # shown below
                failures.append(failure)

        failures = []
        threads = [threading.Thread(target=run, args=(which,)) for which in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])


if __name__ == "__main__":
    unittest.main()
