"""What operators and dashboards see: metrics, status, readiness, subcommands."""

import json
import urllib.request

from support import http_client
from support.case import TINY, ClusterCase
from support.wait import eventually

O = "millrace_orchestrator_"
T = "millrace_transcoder_"

# contract.md section 6, what is present at zero from the start. Histograms by their _count. Verification comes with a
# later version, and its metric with it.
ORCHESTRATOR = {
    "sessions_active", "sessions_limit", "sessions_opened_total", "sessions_refused_total", "sessions_ended_total", "sessions_shed_total",
    "transcoders", "joins_refused_total", "segments_total", "attempts_total", "retries_total", "hedges_total", "stale_results_total",
    "segment_seconds_count", "realtime_ratio_count", "pixels_total", "payload_bytes_total", "payload_buffered_bytes", "payload_budget_bytes",
    "store_commit_seconds_count", "store_errors_total",
    "ledger_rows", "ledger_seconds_total", "ledger_frames_total", "ledger_pixels_total", "ledger_bytes_total",
    "stake_tokens", "stake_active", "stake_age_seconds", "data_dir_free_bytes", "build_info",
}
PER_TRANSCODER = {"transcoder_up", "transcoder_capacity", "transcoder_load", "transcoder_pixels_total", "transcoder_segments_total"}
TRANSCODER = {
    "tasks_active", "slots", "slots_reserved", "tasks_total", "task_seconds_count", "frames_total", "pixels_total", "engine_restarts_total",
    "link_up", "build_info",
}
PROCESS = {"process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds", "process_start_time_seconds"}


def next_event(stream):
    """(event, data) of the next server-sent event; comments are passed over."""
    kind = None
    for line in stream:
        name, _, value = line.decode().rstrip("\n").partition(": ")
        if name == "event":
            kind = value
        elif name == "data":
            return kind, json.loads(value)
    raise AssertionError("the stream ended")


class Operator(ClusterCase):
    @classmethod
    def set_up_cluster(cls, cluster):
        cls.orchestrator = cluster.orchestrator()
        cls.before = cls.orchestrator.metrics()
        cls.ready_before = http_client.get(f"{cls.orchestrator.admin}/readyz")
        cls.transcoder = cluster.transcoder(cls.orchestrator, name="worker", slots=2)
        cls.transcoder_before = cls.transcoder.metrics()

    def test_every_metric_is_there_from_the_start(self):
        missing = {O + n for n in ORCHESTRATOR} - self.before.names()
        self.assertEqual(missing, set())
        self.assertEqual({T + n for n in TRANSCODER} - self.transcoder_before.names(), set())
        self.assertEqual({O + n for n in PER_TRANSCODER} - self.orchestrator.metrics().names(), set())
        for metrics in (self.before, self.transcoder_before):
            self.assertEqual(PROCESS - metrics.names(), set())

    def test_labels_of_closed_sets_are_all_there_from_the_start(self):
        for name, label, values in (
            ("sessions_limit", "limit", {"operator", "transcoders", "stake"}),
            ("segments_total", "outcome", {"ok", "bad_input", "failed", "refused", "cancelled"}),
            ("segment_seconds_count", "stage", {"upload", "queue", "send", "transcode", "receive", "total"}),
            ("pixels_total", "kind", {"decoded", "encoded"}),
            ("transcoders", "state", {"ready", "draining", "cordoned", "quarantined", "lost"}),
        ):
            with self.subTest(metric=name):
                self.assertGreaterEqual(self.before.labels_of(O + name, label), values)
        self.assertGreaterEqual(self.transcoder_before.labels_of(T + "task_seconds_count", "stage"),
                                {"receive", "decode", "scale", "encode", "send", "total"})
        refusals = self.before.labels_of(O + "sessions_refused_total", "code")
        self.assertGreaterEqual(refusals, {"NoTranscoders", "OrchestratorCapped"})

    def test_the_page_says_it_is_prometheus_text(self):
        answer = http_client.get(f"{self.orchestrator.admin}/metrics")
        self.assertTrue(answer.headers["Content-Type"].startswith("text/plain; version=0.0.4"), answer.headers["Content-Type"])
        self.assertIn("# HELP ", answer.body.decode())

    def test_without_limits_the_limits_are_infinite(self):
        self.assertEqual(self.before.value(O + "sessions_limit", limit="operator"), float("inf"))
        self.assertEqual(self.before.value(O + "sessions_limit", limit="stake"), float("inf"))
        self.assertEqual(self.before.value(O + "sessions_limit", limit="transcoders"), 0)
        self.assertEqual(self.orchestrator.metric(O + "sessions_limit", limit="transcoders"), 2)
        self.assertIsNone(self.orchestrator.status()["capacity"]["limits"]["operator"])

    def test_work_is_counted_on_both_sides(self):
        opened = self.session(self.orchestrator, TINY)
        before, theirs = self.orchestrator.metrics(), self.transcoder.metrics()
        for seq in range(2):
            self.assert_status(self.orchestrator.push(opened["stream"], f"{seq}.ts", self.clips[seq]), 200)
        after, theirs_after = self.orchestrator.metrics(), self.transcoder.metrics()

        def grown(name, **labels):
            return after.value(O + name, **labels) - before.value(O + name, **labels)

        self.assertEqual(grown("segments_total", outcome="ok"), 2)
        self.assertEqual(grown("attempts_total"), 2)
        self.assertEqual(grown("pixels_total", kind="encoded"), 50 * 160 * 90)
        self.assertEqual(grown("pixels_total", kind="decoded"), 50 * 320 * 180)
        self.assertEqual(grown("segment_seconds_count", stage="total"), 2)
        self.assertEqual(grown("segment_seconds_count", stage="upload"), 2)
        self.assertEqual(grown("store_commit_seconds_count"), 2)
        self.assertEqual(after.value(O + "payload_buffered_bytes"), 0)
        self.assertEqual(after.value(O + "transcoder_load", transcoder="worker"), 1)
        self.assertEqual(after.value(O + "transcoder_up", transcoder="worker"), 1)
        self.assertEqual(theirs_after.value(T + "tasks_total") - theirs.value(T + "tasks_total"), 2)
        self.assertEqual(theirs_after.value(T + "slots_reserved"), 1)
        self.assertEqual(sum(n for s, _, n in theirs_after.samples if s == T + "link_up"), 1)

    def test_broadcasters_words_never_become_labels(self):
        stream = "a-name-nobody-should-find"
        opened = self.session(self.orchestrator, TINY, stream)
        self.assert_status(self.orchestrator.push(stream, "0.ts", self.clips[0]), 200)
        page = http_client.get(f"{self.orchestrator.admin}/metrics").body.decode()
        self.assertNotIn(stream, page)
        self.assertNotIn(opened["session_id"], page)

    def test_status_has_what_the_contract_lists(self):
        opened = self.session(self.orchestrator, TINY)
        self.assert_status(self.orchestrator.push(opened["stream"], "0.ts", self.clips[0]), 200)
        status = self.orchestrator.status()
        self.assertLessEqual({"version", "uptime", "epoch", "capacity", "stake", "transcoders", "sessions"}, status.keys())
        self.assertLessEqual({"sessions_active", "sessions_max", "limits", "binding"}, status["capacity"].keys())
        self.assertLessEqual({"operator", "transcoders", "stake"}, status["capacity"]["limits"].keys())
        self.assertLessEqual({"source", "state", "tokens", "updated_at"}, status["stake"].keys())
        worker = self.orchestrator.transcoder("worker")
        self.assertLessEqual({"name", "state", "capacity", "load", "devices", "capabilities", "version", "realtime_ratio", "failures", "rtt_ms"},
                             worker.keys())
        self.assertEqual((worker["state"], worker["capacity"], worker["load"]), ("ready", 2, 1))
        session = self.orchestrator.session(opened["stream"])
        self.assertLessEqual({"id", "stream", "account", "transcoder", "segments_ok", "segments_failed", "in_flight", "started_at",
                              "last_segment_at", "realtime_ratio", "effort"}, session.keys())
        self.assertEqual((session["id"], session["transcoder"], session["segments_ok"]), (opened["session_id"], "worker", 1))
        self.assertGreater(session["realtime_ratio"], 0)
        eventually(lambda: self.orchestrator.transcoder("worker")["rtt_ms"] > 0, 5, "a round trip is measured")

    def test_ready_only_with_a_transcoder(self):
        self.assertEqual(self.ready_before.status, 503)
        self.assertTrue(self.orchestrator.ready())
        self.assertTrue(self.transcoder.ready())
        self.assertEqual(http_client.get(f"{self.transcoder.admin}/healthz").status, 200)
        self.assertEqual(http_client.get(f"{self.orchestrator.admin}/healthz").status, 200)

    def test_subcommands_tell_the_same_as_the_status(self):
        for command, needed in (("status", "sessions"), ("transcoders", "worker"), ("sessions", "")):
            for flags in ([], ["--json"]):
                with self.subTest(command=command, flags=flags):
                    done = self.orchestrator.command(command, *flags)
                    self.assertEqual(done.returncode, 0, done)
                    self.assertIn(needed, done.stdout)
                    if flags:
                        json.loads(done.stdout)

    def test_go_livepeers_names_only_when_asked_for(self):
        self.assertFalse([n for n in self.before.names() if n.startswith("livepeer_")])
        cluster = self.new_cluster()
        orchestrator = cluster.orchestrator("--livepeer-metrics")
        cluster.transcoder(orchestrator, name="worker", slots=2)
        opened = self.session(orchestrator, TINY)
        self.assert_status(orchestrator.push(opened["stream"], "0.ts", self.clips[0]), 200)
        page = orchestrator.metrics()
        self.assertEqual(page.value("livepeer_max_sessions_total"), 2)
        self.assertEqual(page.value("livepeer_current_sessions_total"), 1)
        self.assertEqual((page.value("livepeer_transcoders_number"), page.value("livepeer_transcoders_load")), (1, 1))
        self.assertEqual(page.value("livepeer_segment_transcoded_total"), 1)
        self.assertEqual(page.value("livepeer_transcode_score_count"), 1)
        tables_only = self.clips[1][:188 * 3]
        self.assertEqual(orchestrator.push(self.stream(), "0.ts", tables_only).status, 422)
        page = orchestrator.metrics()
        self.assertEqual(page.value("livepeer_segment_transcode_failed_total", error_code="BadSegment"), 1)
        self.assertAlmostEqual(page.value("livepeer_mil_pixels_processed"), 25 * 160 * 90 / 1e6)

    def test_a_trace_tells_a_segments_way(self):
        opened = self.session(self.orchestrator, TINY)
        self.assert_status(self.orchestrator.push(opened["stream"], "5.ts", self.clips[0]), 200)
        done = self.orchestrator.command("trace", f"{opened['session_id']}/5", "--json")
        self.assertEqual(done.returncode, 0, done)
        trace, = json.loads(done.stdout)
        self.assertEqual((trace["seq"], trace["outcome"], trace["stream"]), (5, "answered", opened["stream"]))
        steps = [step["what"] for step in trace["steps"]]
        self.assertEqual([steps[0], steps[-1]], ["accepted", "answered"], steps)
        self.assertEqual([s.get("transcoder") for s in trace["steps"] if s["what"] == "dispatched"], ["worker"])
        self.assertEqual(sorted(s["after_ms"] for s in trace["steps"]), [s["after_ms"] for s in trace["steps"]])
        self.assertGreater(trace["engine_ms"]["total"], 0)
        self.assertIn("dispatched", self.orchestrator.command("trace", f"{opened['session_id']}/5").stdout)
        self.assertNotEqual(self.orchestrator.command("trace", f"{opened['session_id']}/6").returncode, 0)
        self.assertEqual(self.orchestrator.command("trace", "no-number").returncode, 78)

    def test_who_watches_is_told_the_state_and_then_what_happens(self):
        with urllib.request.urlopen(f"{self.orchestrator.admin}/events", timeout=30) as watched:
            self.assertEqual(watched.headers["Content-Type"], "text/event-stream")
            kind, status = next_event(watched)
            self.assertEqual(kind, "status")
            self.assertIn("capacity", status)
            opened = self.session(self.orchestrator, TINY)
            self.assert_status(self.orchestrator.push(opened["stream"], "0.ts", self.clips[0]), 200)
            self.orchestrator.end_session(opened["session_id"], {"Authorization": f"Bearer {opened['token']}"})
            told = []
            while ("session", "ended") not in told:
                kind, data = next_event(watched)
                if opened["session_id"] in (data.get("id"), data.get("session")):
                    told.append((kind, data.get("outcome") or data["state"]))
        self.assertEqual(told, [("session", "opened"), ("segment", "answered"), ("session", "ended")])

    def test_join_tokens_are_listed_without_their_secret_and_revoked_by_id(self):
        token = self.orchestrator.join_token()
        listed = self.orchestrator.command("join-token", "list", "--json")
        self.assertEqual(listed.returncode, 0, listed)
        self.assertNotIn(token[20:60], listed.stdout)
        self.assertNotEqual(self.orchestrator.command("join-token", "revoke", "no-such-id").returncode, 0)

    def test_the_transcoders_own_status(self):
        status = self.transcoder.status()
        self.assertIn("version", status)

    def test_writing_needs_the_admin_token(self):
        for path in ("/join-tokens", "/transcoders/worker/drain", "/max-sessions"):
            for headers in ({}, {"Authorization": "Bearer wrong"}):
                with self.subTest(path=path, headers=headers):
                    answer = http_client.request("POST", self.orchestrator.admin + path, body=b"{}", headers=headers)
                    self.assertIn(answer.status, (401, 403, 404))
        self.assertEqual(
            http_client.request("POST", f"{self.orchestrator.admin}/join-tokens", body=b"{}").status, 401)
        self.assertTrue(self.orchestrator.transcoder_is("worker", "ready"))

    def test_secrets_are_files_of_the_owner_only(self):
        for directory in (self.orchestrator.data_dir, self.transcoder.data_dir):
            for path in directory.rglob("*"):
                if path.is_file() and path.name != "endpoints.json":
                    self.assertEqual(path.stat().st_mode & 0o077, 0, f"{path.name} is open to others")
