"""Socket activation: who binds the ports for the orchestrator keeps them while it restarts, and nobody is turned away."""

import concurrent.futures
import socket

from support import http_client
from support.case import TINY, ClusterCase
from support.processes import run_to_end
from support.cluster import START_S, binary
from support.wait import eventually


def listening():
    return socket.create_server(("127.0.0.1", 0), backlog=64)


class Activation(ClusterCase):
    @classmethod
    def set_up_cluster(cls, cluster):
        """Each test makes what it needs."""

    def activated(self, cluster, *names, flags=()):
        orchestrator = cluster.orchestrator(*flags, start=False)
        for name in names:
            orchestrator.handed[name] = listening()
            self.addCleanup(orchestrator.handed[name].close)
        return orchestrator.start()

    def test_it_serves_the_sockets_it_was_given_by_name(self):
        # Not in the order of the lanes, so that only the names can tell them apart.
        orchestrator = self.activated(self.new_cluster(), "payload", "service", "link")
        for name, handed in orchestrator.handed.items():
            self.assertEqual(orchestrator.endpoints[name], "127.0.0.1:%d" % handed.getsockname()[1])
        self.assertEqual(http_client.get(f"{orchestrator.url}/healthz").status, 200)

    def test_a_segment_sent_while_it_is_down_is_answered_when_it_is_back(self):
        cluster = self.new_cluster()
        orchestrator = self.activated(cluster, "service", "link", "payload")
        transcoder = cluster.transcoder(orchestrator)
        opened = self.session(orchestrator, TINY)
        self.assert_status(orchestrator.push(opened["stream"], "0.ts", self.clips[0]), 200)
        orchestrator.kill()
        body = self.clips[1]
        # Connects and sends the whole segment while nobody runs: the kernel keeps it.
        with http_client.connect(orchestrator.url) as early:
            early.sendall(f"PUT /live/{opened['stream']}/1.ts HTTP/1.1\r\nHost: test\r\nContent-Length: {len(body)}\r\n"
                          "Connection: close\r\nAccept: multipart/mixed\r\n\r\n".encode())
            with concurrent.futures.ThreadPoolExecutor(1) as pool:
                sending = pool.submit(early.sendall, body)
                orchestrator.start()
                sending.result()
            answer = http_client.read_answer(early)
        self.assert_status(answer, 200)
        self.assertEqual(list(answer.renditions()), ["small"])
        # The transcoder came back over the same handed sockets, with its own key.
        eventually(lambda: orchestrator.transcoder_is(transcoder.name, "ready"), START_S, "the transcoder is back")
        self.assertTrue(transcoder.process.running())

    def test_sockets_that_make_no_sense_are_named(self):
        directory = self.new_cluster().directory
        for names, count in (("service:nonsense", "2"), ("service:service", "2")):
            with self.subTest(names=names):
                done = run_to_end(
                    ["sh", "-c", 'exec 3</dev/null 4</dev/null; export LISTEN_PID=$$; exec "$@"', "sh", binary("orchestrator"),
                     "--service-addr", "127.0.0.1:0", "--data-dir", directory / "none"],
                    environment={"LISTEN_FDS": count, "LISTEN_FDNAMES": names})
                self.assertEqual(done.returncode, 78, done)
                self.assertIn("LISTEN_FDNAMES", done.stderr)
        not_listening = run_to_end(
            ["sh", "-c", 'exec 3</dev/null; export LISTEN_PID=$$; exec "$@"', "sh", binary("orchestrator"),
             "--service-addr", "127.0.0.1:0", "--data-dir", directory / "none"], environment={"LISTEN_FDS": "1"})
        self.assertEqual(not_listening.returncode, 78, not_listening)
        self.assertIn("LISTEN_FDS", not_listening.stderr)
