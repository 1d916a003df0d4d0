"""What a tunnel leads to is the handler's: nothing goes past it any more, neither over connections of an earlier policy nor from the
hook that connects. On the own node it needs no tunnel. python3 tunnel_test.py"""
import socket
import unittest

from wire import Client
from world import World

DATABASE = ("10.96.7.9", 5432)


class Tunnel(unittest.TestCase):
    def setUp(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(self.listener.close)
        port = self.listener.getsockname()[1]
        extra = f"""
identity served = spiffe "ns/test/sa/served"
service db {{ address {DATABASE[0]}:{DATABASE[1]} protocol tcp transport plaintext identity served endpoint 127.0.0.1:{port} }}
access db {{ allow from web }}
service front {{ address 10.96.7.8:80 protocol http transport plaintext }}
access front {{ allow from web }}
route front {{ otherwise -> echo }}
"""
        self.world = World(extra=extra)
        self.addCleanup(self.world.close)

    def tunnels(self):
        text = self.world.policy().replace("transport plaintext identity served", "transport mtls identity served")
        return text.replace("transport plaintext\n  subset", "transport mtls\n  identity served\n  subset", 1)

    def test_nothing_goes_past_the_handler(self):
        world = self.world
        socket.create_connection(DATABASE, 5).close()
        self.listener.accept()[0].close()
        with Client() as client, Client() as other:
            for _ in range(20):
                self.assertEqual(client.get("/v1/echo/x").status, 200)
            self.assertGreater(world.fast_path()["requests"], 0, "nothing went past the handler while it was allowed to")
            seen, fast = world.servers.statistics()["requests"], world.fast_path()["requests"]
            text = self.tunnels()
            self.assertEqual(text.count("transport mtls"), 2)
            world.reload(world.build(text))
            for each in (client, other):
                for target in ("/v1/echo/x", "/v2/echo/x", "/any/echo/x"):
                    self.assertEqual(each.get(target).status, 200)
            code, status, rule, body = world.curl("web", "http://10.96.7.8/any/echo/x")
            self.assertEqual((code, status), (0, 200), ("by the route of another service", rule, body))
            self.assertEqual(world.servers.statistics()["requests"], seen + 7)
            self.assertEqual(world.fast_path()["requests"], fast)
            connection = socket.create_connection(DATABASE, 5)
            accepted, peer = self.listener.accept()
            self.assertNotEqual(peer, connection.getsockname(), "the handler's own connection")
            accepted.close()
            connection.close()
            world.reload(world.build(world.policy()))
            for _ in range(20):
                self.assertEqual(client.get("/v1/echo/x").status, 200)
            self.assertGreater(world.fast_path()["requests"], fast)
        world.expect_checked(self)


if __name__ == "__main__":
    unittest.main()
