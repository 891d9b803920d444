"""Join tokens: what lets a transcoder in, what keeps it out, and that it says why."""

import json
import time

from support.case import TINY, ClusterCase
from support.wait import eventually

JOIN_REFUSED = 77


class Join(ClusterCase):
    @classmethod
    def set_up_cluster(cls, cluster):
        cls.orchestrator = cluster.orchestrator()
        cls.other = cluster.orchestrator()

    def refused(self, token, *words):
        """The transcoder ends with 77 and a sentence that has one of `words` in it."""
        wanted = self.new_cluster().transcoder(self.orchestrator, tokens=[token], start=False).launch()
        self.assertEqual(wanted.process.exit_code(20), JOIN_REFUSED, wanted.process.text())
        said = wanted.process.text().lower()
        self.assertTrue(any(word in said for word in words), f"none of {words} in:\n{said}")

    def test_a_malformed_token(self):
        for token in ("hello", "mrj1_", "mrj1_@@@@", "mrj1_" + "A" * 40, self.orchestrator.join_token()[:-7]):
            with self.subTest(token=token[:12]):
                self.refused(token, "malformed")

    def test_an_expired_token(self):
        made = time.time()
        token = self.orchestrator.join_token("--ttl", "1s")
        eventually(lambda: time.time() > made + 2.1, 5, "the token's second to pass")
        self.refused(token, "expired")

    def test_a_revoked_token(self):
        before = {t["id"] for t in self.tokens()}
        token = self.orchestrator.join_token()
        (made,) = {t["id"] for t in self.tokens()} - before
        self.assertEqual(self.orchestrator.command("join-token", "revoke", made).returncode, 0)
        self.refused(token, "revoked", "refused", "unknown")
        self.assertGreaterEqual(self.orchestrator.metric("millrace_orchestrator_joins_refused_total"), 1)

    def test_a_token_of_another_orchestrator(self):
        self.refused(self.other.join_token(), "foreign", "another orchestrator", "other orchestrator")

    def test_no_token_at_all(self):
        stranger = self.new_cluster().transcoder(self.orchestrator, tokens=[], start=False).launch()
        self.assertEqual(stranger.process.exit_code(20), JOIN_REFUSED, stranger.process.text())
        self.assertIn("--join-token", stranger.process.text())

    def tokens(self):
        done = self.orchestrator.command("join-token", "list", "--json")
        self.assertEqual(done.returncode, 0, done)
        listed = json.loads(done.stdout)
        return listed["tokens"] if isinstance(listed, dict) else listed

    def test_a_token_serves_many_and_one_made_for_once_serves_one(self):
        cluster = self.new_cluster()
        many, once = self.orchestrator.join_token(), self.orchestrator.join_token("--once")
        for name in ("many-1", "many-2"):
            cluster.transcoder(self.orchestrator, name=name, slots=1, tokens=[many])
        cluster.transcoder(self.orchestrator, name="once-1", slots=1, tokens=[once])
        self.refused(once, "refused", "used", "revoked", "unknown")

    def test_an_enrolled_transcoder_needs_no_token_any_more(self):
        cluster = self.new_cluster()
        enrolled = cluster.transcoder(self.orchestrator, name="enrolled", slots=1)
        self.assertEqual(enrolled.terminate(), 0)
        enrolled.tokens = []
        enrolled.start()

    def test_a_cordon_outlives_restarts_of_both(self):
        cluster = self.new_cluster()
        orchestrator = cluster.orchestrator()
        worker = cluster.transcoder(orchestrator, name="worker", slots=1)
        self.assertEqual(orchestrator.command("cordon", "worker").returncode, 0)
        orchestrator.kill()
        worker.kill()
        orchestrator.start()
        worker.launch()
        eventually(lambda: orchestrator.transcoder_is("worker", "cordoned"), 20, "the worker is back, and cordoned")
        self.assert_status(orchestrator.push(self.stream(), "0.ts", self.clips[0]), 503, "NoTranscoders")
        self.assertEqual(orchestrator.command("uncordon", "worker").returncode, 0)
        self.assert_status(orchestrator.push(self.stream(), "0.ts", self.clips[0]), 200)

    def test_a_second_key_with_a_live_name_gets_another_name(self):
        cluster = self.new_cluster()
        cluster.transcoder(self.orchestrator, name="twin", slots=1)
        elsewhere = self.new_cluster()
        second = elsewhere.transcoder(self.orchestrator, name="twin", slots=1, start=False).launch()
        eventually(lambda: self.orchestrator.transcoder_is("twin-2", "ready"), 20, "twin-2")
        self.assertEqual(second.terminate(), 0)
        second.launch()
        eventually(lambda: self.orchestrator.transcoder_is("twin-2", "ready"), 20, "twin-2 again, its name kept")

    def test_a_token_may_come_from_a_file(self):
        cluster = self.new_cluster()
        path = cluster.directory / "token"
        path.touch(mode=0o600)
        path.write_text(self.orchestrator.join_token() + "\n")
        cluster.transcoder(self.orchestrator, name="from-file", slots=1, tokens=[f"@{path}"])

    def test_tokens_stand_in_no_log(self):
        cluster = self.new_cluster()
        token = self.orchestrator.join_token()
        joined = cluster.transcoder(self.orchestrator, name="quiet", slots=1, tokens=[token])
        for log in (joined.log, self.orchestrator.log):
            self.assertNotIn(token[5:], log.read_text(errors="replace"))

    def test_revoking_after_enrolment_does_not_put_out_a_working_transcoder(self):
        cluster = self.new_cluster()
        before = {t["id"] for t in self.tokens()}
        token = self.orchestrator.join_token()
        (made,) = {t["id"] for t in self.tokens()} - before
        cluster.transcoder(self.orchestrator, name="stays", slots=1, tokens=[token])
        self.assertEqual(self.orchestrator.command("join-token", "revoke", made).returncode, 0)
        opened = self.session(self.orchestrator, TINY)
        self.assert_status(self.orchestrator.push(opened["stream"], "0.ts", self.clips[0]), 200)
