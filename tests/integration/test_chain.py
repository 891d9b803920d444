"""Stake read from contracts on a local EVM node: bonding, rounds, the active set, nodes that fail, differ or lie."""

import http.server
import json
import threading
import unittest

from support import chain
from support.case import TINY, ClusterCase
from support.wait import eventually

POLL = "300ms"
SEEN_S = 15  # for a poll, on a busy machine
O = "millrace_orchestrator_"


class BadNode(http.server.BaseHTTPRequestHandler):
    """Answers whatever the test wants, or holds its answer back until the test lets it go."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.released.wait(30)
        body = self.server.answer(asked).encode()
        try:
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        except OSError:
            self.close_connection = True  # whoever asked has given up

    def log_message(self, *_):
        pass


@unittest.skipIf(chain.unavailable(), f"SKIPPED: no local chain: {chain.unavailable()}")
class Chain(ClusterCase):
    @classmethod
    def set_up_cluster(cls, cluster):
        cls.node = chain.Node(cluster.directory)
        cls.addClassCleanup(cls.node.stop)
        cls.livepeer = chain.Livepeer(cls.node)
        cls.livepeer.bond(1500)
        cls.livepeer.new_round()
        cls.orchestrator = cls.serve(cluster, cls.node.url)
        cls.transcoder = cluster.transcoder(cls.orchestrator, slots=8)
        cls.becomes(cls, cls.orchestrator, tokens="1500", state="active")

    @classmethod
    def serve(cls, cluster, urls, controller=None):
        return cluster.orchestrator("--stake", "ethereum", "--stake-per-session", "500", "--stake-interval", POLL, "--eth-url", urls,
                                    "--eth-controller", controller or cls.livepeer.controller.address, "--eth-orch-addr", cls.node.account)

    def becomes(self, orchestrator, **wanted):
        eventually(lambda: all(orchestrator.status()["stake"][k] == v for k, v in wanted.items()), SEEN_S, f"stake shows {wanted}")

    def first_segment(self, orchestrator=None):
        orchestrator = orchestrator or self.orchestrator
        stream = self.stream()
        opened = orchestrator.open_session(stream, TINY)
        if opened.status != 201:
            return stream, opened
        self.addCleanup(self._end_quietly, orchestrator, opened.json()["session_id"])
        return stream, orchestrator.push(stream, "0.ts", self.clips[0])

    def bad_node(self, answer, hold=False):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), BadNode)
        server.daemon_threads = True
        server.answer, server.released = answer, threading.Event()
        if not hold:
            server.released.set()
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()

        def close():
            server.released.set()
            server.shutdown()
            thread.join()
            server.server_close()

        self.addCleanup(close)
        return server, f"http://127.0.0.1:{server.server_port}"

    def test_bond_unbond_and_rounds_show_in_status_metrics_and_admission(self):
        running = [self.first_segment() for _ in range(3)]
        for _, answer in running:
            self.assert_status(answer, 200)
        refused = self.first_segment()[1]
        self.assert_status(refused, 503, "OrchestratorCapped")
        self.assertIn("stake", refused.json()["detail"])

        self.livepeer.bond(500)
        self.addCleanup(self.livepeer.unbond, 500)
        self.becomes(self.orchestrator, tokens="2000")
        self.assertEqual(self.orchestrator.metric(O + "sessions_limit", limit="stake"), 4)
        self.assert_status(self.first_segment()[1], 200)

        self.livepeer.unbond(1600)
        self.becomes(self.orchestrator, tokens="400")
        for stream, _ in running:
            self.assert_status(self.orchestrator.push(stream, "1.ts", self.clips[1]), 200)
        self.assert_status(self.first_segment()[1], 503, "OrchestratorCapped")
        self.livepeer.bond(1600)
        self.becomes(self.orchestrator, tokens="2000")

        round_before = self.orchestrator.status()["stake"]["round"]
        self.livepeer.new_round()
        self.becomes(self.orchestrator, round=round_before + 1, state="active")

    def test_leaving_the_active_set_takes_effect_with_the_next_round(self):
        cluster = self.new_cluster()
        node = chain.Node(cluster.directory)
        self.addCleanup(node.stop)
        livepeer = chain.Livepeer(node)
        livepeer.bond(1500)
        orchestrator = cluster.orchestrator("--stake", "ethereum", "--stake-interval", POLL, "--eth-url", node.url,
                                            "--eth-controller", livepeer.controller.address, "--eth-orch-addr", node.account)
        cluster.transcoder(orchestrator)
        self.becomes(orchestrator, state="inactive", tokens="1500")  # bonded, not active before the next round
        self.assert_status(self.first_segment(orchestrator)[1], 503, "StakeInactive")
        livepeer.new_round()
        self.becomes(orchestrator, state="active")
        self.assert_status(self.first_segment(orchestrator)[1], 200)
        livepeer.leave()
        livepeer.new_round()
        self.becomes(orchestrator, state="inactive")
        self.assert_status(self.first_segment(orchestrator)[1], 503, "StakeInactive")

    def test_a_node_that_dies_is_replaced_by_the_other_and_without_any_the_last_value_holds(self):
        cluster = self.new_cluster()
        spare = chain.Node(cluster.directory)
        self.addCleanup(spare.stop)
        twin = chain.Livepeer(spare)  # the same transactions give the same addresses
        self.assertEqual((twin.controller.address, spare.account), (self.livepeer.controller.address, self.node.account))
        twin.bond(1500)
        twin.new_round()
        orchestrator = self.serve(cluster, f"http://127.0.0.1:{chain.free_port()},{spare.url}")
        cluster.transcoder(orchestrator)
        self.becomes(orchestrator, tokens="1500", state="active", problem="")
        spare.stop()
        self.becomes(orchestrator, state="stale")
        self.assertIn("127.0.0.1", orchestrator.status()["stake"]["problem"])
        self.assertEqual(orchestrator.status()["capacity"]["limits"]["stake"], 3)
        self.assert_status(self.first_segment(orchestrator)[1], 200)

    def test_what_nodes_may_do_wrong_is_shown_and_lets_nobody_in(self):
        foreign = chain.Node(self.cluster.directory, "foreign", chain=1)
        self.addCleanup(foreign.stop)
        _, garbage = self.bad_node(lambda asked: "<html>busy</html>")
        _, liar = self.bad_node(lambda asked: json.dumps(
            [{"jsonrpc": "2.0", "id": one["id"], "result": hex(chain.CHAIN) if one["method"] == "eth_chainId" else "0x" + "f" * 64}
             for one in asked]))
        for urls, controller, says in (
            (garbage, None, "batch"),
            (f"{self.node.url},{foreign.url}", None, "different chains"),
            (liar, None, ""),
            (self.node.url, self.livepeer.rounds.address, ""),
        ):
            with self.subTest(urls=urls, says=says):
                orchestrator = self.serve(self.new_cluster(), urls, controller)
                eventually(lambda: orchestrator.status()["stake"]["problem"], SEEN_S, "a problem")
                stake = orchestrator.status()["stake"]
                self.assertEqual((stake["state"], stake["tokens"]), ("unknown", None))
                self.assertIn(says, stake["problem"])
                self.assert_status(self.first_segment(orchestrator)[1], 503, "StakeInactive")
                self.assertIn("stake", orchestrator.log.read_text())

    def test_a_node_that_holds_its_answer_back_delays_no_segment_and_no_end(self):
        server, slow = self.bad_node(lambda asked: "[]", hold=True)
        cluster = self.new_cluster()
        orchestrator = self.serve(cluster, f"{slow},{self.node.url}")
        cluster.transcoder(orchestrator)
        # The slow node is given up after 5 s, then the other one is asked.
        self.becomes(orchestrator, tokens="1500")
        stream, answer = self.first_segment(orchestrator)
        self.assert_status(answer, 200)
        self.assert_status(orchestrator.push(stream, "1.ts", self.clips[1]), 200)
        self.assertFalse(server.released.is_set())
        self.assertEqual(orchestrator.terminate(), 0)
