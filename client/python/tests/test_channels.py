"""How a client reaches servers."""
import collections
import os
import unittest
import unittest.mock

import alignsae
from alignsae import channels
from fake_server import FakeServer, reading

READ = "ConceptService/ReadConcepts"


class OptionsTest(unittest.TestCase):
    def test_targets(self):
        self.assertEqual(channels.target_of("host:1"), "host:1")
        self.assertEqual(channels.target_of("dns:///host:1"), "dns:///host:1")
        self.assertEqual(channels.target_of("10.0.0.1:1, 10.0.0.2:2"),
                         "ipv4:10.0.0.1:1,10.0.0.2:2")
        self.assertEqual(channels.target_of("[fd00::1]:1,[fd00::2]:2"),
                         "ipv6:[fd00::1]:1,[fd00::2]:2")
        with self.assertRaisesRegex(ValueError, "^server: must be host:port"):
            channels.target_of("10.0.0.1,10.0.0.2:1")

    def test_bad_ones_are_refused_with_their_name(self):
        for bad, sentence in (
                ({"timeout": 0}, "timeout: must be above 0"),
                ({"tls_cert": "x"}, "tls_cert and tls_key"),
                ({"keepalive": 5}, "keepalive: must be at least 20"),
                ({"server": "10.0.0.1:1", "token": "s"}, "token: must not travel in the open")):
            with self.subTest(bad), self.assertRaisesRegex(ValueError, sentence):
                channels.Options(**bad)
        with self.assertRaisesRegex(ValueError, "tls_name: must be given"):
            channels.open_channel(channels.Options(server="10.0.0.1:1,10.0.0.2:1", tls=True))

    def test_a_token_is_that_of_the_environment_unless_it_is_given(self):
        with unittest.mock.patch.dict(os.environ, {"ALIGNSAE_TOKEN": "e"}):
            self.assertIn(("authorization", "Bearer e"), channels.Options().metadata())
            self.assertIn(("authorization", "Bearer s"), channels.Options(token="s").metadata())
        with unittest.mock.patch.dict(os.environ):
            os.environ.pop("ALIGNSAE_TOKEN", None)
            self.assertEqual(channels.Options().metadata(), ())

    def test_a_token_may_travel_on_loopback_and_in_tls(self):
        channels.Options(server="127.0.0.1:1", token="s")
        channels.Options(server="10.0.0.1:1", token="s", tls=True)

    def test_what_is_settled_cannot_be_changed(self):
        with alignsae.Client("127.0.0.1:1") as client:
            with self.assertRaisesRegex(TypeError, "server: is settled"):
                client.with_options(server="127.0.0.1:2")
            self.assertEqual(client.with_options(timeout=3).options.timeout, 3)
            self.assertEqual(client.options.timeout, 30.0)


class BalancingTest(unittest.TestCase):
    def test_servers_are_asked_in_turn_and_one_that_goes_is_not_missed(self):
        servers = [FakeServer({READ: reading}) for _ in range(2)]
        with alignsae.Client(",".join(server.target for server in servers)) as client:
            # Both are connected before the turns are even.
            while not all(server.seen for server in servers):
                client.read("a")
            for server in servers:
                server.seen.clear()
            for _ in range(20):
                client.read("a")
            self.assertEqual([len(server.seen) for server in servers], [10, 10])
            servers[0].close()
            for _ in range(10):
                client.read("a")
            self.assertEqual(len(servers[1].seen), 20)
        servers[1].close()

    def test_no_server_is_unavailable_after_all_tries(self):
        gone = FakeServer({READ: reading})
        gone.close()
        with alignsae.Client(gone.target, timeout=5) as client:
            with self.assertRaises(alignsae.UnavailableError):
                client.read("a")


class ThreadsTest(unittest.TestCase):
    def test_one_client_serves_many_threads(self):
        import concurrent.futures  # pylint: disable=import-outside-toplevel
        server = FakeServer({READ: reading})
        self.addCleanup(server.close)
        with (alignsae.Client(server.target) as client,
              concurrent.futures.ThreadPoolExecutor(8) as pool):
            found = collections.Counter(pool.map(
                lambda words: client.read(words)[0].top_concept, "abab" * 20))
        self.assertEqual(found, {"a": 40, "b": 40})


if __name__ == "__main__":
    unittest.main()
