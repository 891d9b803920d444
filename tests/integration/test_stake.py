"""Stake as a limit, read from a file: status, metrics, admission; running sessions are left alone."""

import json
import os

from support.case import TINY, ClusterCase
from support.processes import run_to_end
from support.cluster import binary
from support.wait import eventually

O = "millrace_orchestrator_"
POLLS_S = 10  # the file is read once a second


class Stake(ClusterCase):
    @classmethod
    def set_up_cluster(cls, cluster):
        cls.file = cluster.directory / "stake.json"
        cls.stake("1500", True)
        cls.orchestrator = cluster.orchestrator("--stake", f"file:{cls.file}", "--stake-per-session", "500")
        cls.transcoder = cluster.transcoder(cls.orchestrator, slots=8)

    def setUp(self):
        self.stake("1500", True)
        self.limit_becomes(3)

    @classmethod
    def write(cls, text):
        fresh = cls.file.with_suffix(".new")
        fresh.write_text(text)
        os.replace(fresh, cls.file)

    @classmethod
    def stake(cls, tokens, active):
        cls.write(json.dumps({"tokens": tokens, "active": active}))

    def limit_becomes(self, sessions):
        eventually(lambda: self.orchestrator.status()["capacity"]["limits"]["stake"] == sessions, POLLS_S, f"stake backs {sessions}")

    def push_first(self):
        """The stream, and the answer to its first segment or the refusal before it."""
        stream = self.stream()
        opened = self.orchestrator.open_session(stream, TINY)
        if opened.status != 201:
            return stream, opened
        self.addCleanup(self.orchestrator.end_session, opened.json()["session_id"])
        return stream, self.orchestrator.push(stream, "0.ts", self.clips[0])

    def test_the_last_known_stake_holds_over_a_restart(self):
        cluster = self.new_cluster()
        self.file = cluster.directory / "stake.json"
        self.file.write_text(json.dumps({"tokens": "1500", "active": True}))
        orchestrator = cluster.orchestrator("--stake", f"file:{self.file}", "--stake-per-session", "500")
        eventually(lambda: orchestrator.status()["stake"]["state"] == "active", POLLS_S, "stake is known")
        read_at = orchestrator.status()["stake"]["updated_at"]
        self.assertEqual(orchestrator.terminate(), 0)
        self.file.unlink()
        orchestrator.start()
        known = orchestrator.status()
        self.assertEqual(known["capacity"]["limits"]["stake"], 3)
        self.assertEqual(known["stake"]["state"], "stale")
        self.assertGreaterEqual(known["stake"]["updated_at"], read_at)

    def test_the_fourth_session_is_refused_naming_stake_and_the_others_go_on_when_stake_falls(self):
        running = [self.push_first() for _ in range(3)]
        for _, answer in running:
            self.assert_status(answer, 200)
        _, refused = self.push_first()
        self.assert_status(refused, 503, "OrchestratorCapped")
        self.assertIn("stake", refused.json()["detail"])
        self.assert_retry_after(refused)
        self.assertEqual(self.orchestrator.status()["capacity"]["binding"], "stake")

        self.stake("499.999999999999999999", True)
        self.limit_becomes(0)
        for stream, _ in running:
            self.assert_status(self.orchestrator.push(stream, "1.ts", self.clips[1]), 200)
        self.assert_status(self.push_first()[1], 503, "OrchestratorCapped")

    def test_outside_the_active_set_nothing_new_comes_in(self):
        self.stake("1500", False)
        self.limit_becomes(0)
        _, refused = self.push_first()
        self.assert_status(refused, 503, "StakeInactive")
        self.assertEqual(self.orchestrator.metric(O + "stake_active"), 0)
        self.assertEqual(self.orchestrator.status()["stake"]["state"], "inactive")

    def test_wrong_content_keeps_the_last_good_value_and_says_so(self):
        self.write('{"tokens": 1500, "active": true}')
        eventually(lambda: self.orchestrator.status()["stake"]["state"] == "stale", POLLS_S, "the wrong file is noticed")
        status = self.orchestrator.status()
        self.assertIn("tokens", status["stake"]["problem"])
        self.assertEqual((status["stake"]["tokens"], status["capacity"]["limits"]["stake"]), ("1500", 3))
        self.assert_status(self.push_first()[1], 200)

    def test_status_metrics_and_the_subcommand_show_it(self):
        self.stake("1500.25", True)
        eventually(lambda: self.orchestrator.status()["stake"]["tokens"] == "1500.25", POLLS_S, "the new amount")
        stake = self.orchestrator.status()["stake"]
        self.assertEqual((stake["source"], stake["state"]), (f"file:{self.file}", "active"))
        self.assertTrue(stake["updated_at"])
        metrics = self.orchestrator.metrics()
        self.assertEqual(metrics.value(O + "stake_tokens"), 1500.25)
        self.assertEqual(metrics.value(O + "stake_active"), 1)
        self.assertEqual(metrics.value(O + "sessions_limit", limit="stake"), 3)
        self.assertLess(metrics.value(O + "stake_age_seconds"), 60)
        shown = run_to_end([binary("orchestrator"), "stake", "--data-dir", self.orchestrator.data_dir])
        self.assertEqual(shown.returncode, 0, shown)
        self.assertIn("1500.25", shown.stdout)


class Configuration(ClusterCase):
    @classmethod
    def set_up_cluster(cls, cluster):
        cls.directory = cluster.directory

    def test_wrong_stake_flags_are_named(self):
        for flags, named in (
            (["--stake", "bank"], "--stake"),
            (["--stake", "file:"], "--stake"),
            (["--stake", "file:/x", "--stake-per-session", "-1"], "--stake-per-session"),
            (["--stake", "file:/x", "--stake-per-session", "1e3"], "--stake-per-session"),
            (["--stake-per-session", "1"], "--stake-per-session"),
            (["--stake", "ethereum"], "--eth-url"),
            (["--stake", "ethereum", "--eth-url", "http://127.0.0.1:1"], "--eth-orch-addr"),
            (["--stake", "ethereum", "--eth-url", "ftp://x", "--eth-orch-addr", "0x" + "0" * 40], "--eth-url"),
            (["--stake", "ethereum", "--eth-url", "http://127.0.0.1:1", "--eth-orch-addr", "0x12"], "--eth-orch-addr"),
            (["--eth-url", "http://127.0.0.1:1"], "--eth-url"),
        ):
            with self.subTest(flags=flags):
                done = run_to_end([binary("orchestrator"), "--check-config", "--data-dir", self.directory / "d", *flags])
                self.assertEqual(done.returncode, 78, done)
                self.assertIn(named, done.stderr)

    def test_an_unreachable_node_lets_nobody_in_and_keeps_its_key_to_itself(self):
        cluster = self.new_cluster()
        orchestrator = cluster.orchestrator("--stake", "ethereum", "--eth-url", "http://127.0.0.1:1/v3/topsecretkey",
                                            "--eth-orch-addr", "0x" + "0" * 39 + "1", "--stake-interval", "200ms")
        cluster.transcoder(orchestrator)
        eventually(lambda: orchestrator.status()["stake"]["problem"], 15, "the failure is shown")
        stake = orchestrator.status()["stake"]
        self.assertEqual((stake["source"], stake["state"]), ("ethereum", "unknown"))
        self.assertIn("127.0.0.1:1", stake["problem"])
        self.assertNotIn("topsecretkey", stake["problem"] + orchestrator.log.read_text())
        self.assert_status(orchestrator.push("s", "0.ts", self.clips[0]), 503, "StakeInactive")
