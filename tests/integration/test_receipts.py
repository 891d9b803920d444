"""Receipts: what a transcoder signs of each result, kept in the ledger and checked by whoever it concerns."""

import json
import shutil

from support.case import LADDER, TINY, ClusterCase
from support.cluster import binary
from support.processes import run_to_end
from support.wait import eventually


class Receipts(ClusterCase):
    @classmethod
    def set_up_cluster(cls, cluster):
        cls.orchestrator = cluster.orchestrator()
        cls.transcoder = cluster.transcoder(cls.orchestrator, name="worker", slots=2)

    def push(self, opened, seq):
        answer = self.orchestrator.push(opened["stream"], f"{seq}.ts", self.clips[seq])
        self.assert_status(answer, 200)
        return answer.json()

    def receipt(self, opened, seq):
        done = self.orchestrator.command("ledger", "receipt", f"{opened['session_id']}/0/{seq}")
        self.assertEqual((done.returncode, done.stderr), (0, ""), done)
        return done.stdout

    def check(self, text, *arguments):
        return run_to_end([binary("transcoder"), "verify-receipt", "-", *arguments], stdin=text)

    def test_a_receipt_says_what_was_answered_and_its_owner_can_check_it(self):
        opened = self.session(self.orchestrator, LADDER)
        answers = [self.push(opened, seq) for seq in range(3)]
        signer = self.orchestrator.transcoder("worker")["signer"]
        self.assertEqual(signer, self.transcoder.status()["signer"])
        for seq, answer in enumerate(answers):
            checked = self.check(self.receipt(opened, seq), "--json", "--data-dir", self.transcoder.data_dir)
            self.assertEqual(checked.returncode, 0, checked)
            said = json.loads(checked.stdout)
            self.assertEqual((said["session"], said["run"], said["seq"]), (opened["session_id"], 0, seq))
            self.assertEqual(said["signer"], signer)
            self.assertEqual(said["transcoder"], self.orchestrator.transcoder("worker")["key"])
            for made, vouched in zip(answer["renditions"], said["renditions"], strict=True):
                for key in ("name", "width", "height", "bytes", "frames", "pixels"):
                    self.assertEqual(vouched[key], made[key], key)
            self.assertGreater(said["times_us"]["total"], 0)
            self.assertIn("millrace", said["software"])
            self.assertIn("cpu", said["device"])
        words = self.check(self.receipt(opened, 0)).stdout
        self.assertTrue(words.startswith("valid\n"), words)
        self.assertIn(f"{opened['session_id']}/0/0", words)
        verified = self.orchestrator.command("ledger", "verify", "--json")
        self.assertEqual(verified.returncode, 0, verified)
        self.assertGreaterEqual(json.loads(verified.stdout)["receipts"], 3)

    def test_a_changed_or_foreign_receipt_is_told_so(self):
        opened = self.session(self.orchestrator, TINY)
        self.push(opened, 0)
        text = self.receipt(opened, 0)
        signer = self.orchestrator.transcoder("worker")["signer"]
        self.assertEqual(self.check(text, "--key", signer).returncode, 0)
        middle = len(text) // 2
        changed = text[:middle] + ("B" if text[middle] == "A" else "A") + text[middle + 1:]
        for wrong, arguments, words in ((changed, (), "receipt"), (text, ("--key", "ab" * 32), "another key"), ("hello\n", (), "no receipt"),
                                        ("", (), "no receipt")):
            with self.subTest(words=words, arguments=arguments):
                done = self.check(wrong, *arguments)
                self.assertEqual(done.returncode, 65, done)
                self.assertIn(words if wrong is not changed else "", done.stderr)
        self.assertEqual(self.check(text, "--data-dir", self.cluster.directory / "nowhere").returncode, 64)
        self.assertEqual(self.check(text, "--key", "short").returncode, 78)

    def test_what_has_no_receipt_is_told_so(self):
        for segment, code, words in (("0" * 32 + "/0/1", 65, "no such segment"), ("nonsense", 78, "SESSION/RUN/SEQ")):
            with self.subTest(segment=segment):
                done = self.orchestrator.command("ledger", "receipt", segment)
                self.assertEqual(done.returncode, code, done)
                self.assertIn(words, done.stderr)

    def test_a_transcoder_keeps_the_key_that_it_has_told(self):
        worker = self.new_cluster().transcoder(self.orchestrator, name="forgetful")
        eventually(lambda: self.orchestrator.transcoder_is("forgetful", "ready"), 20, "it joins")
        told = self.orchestrator.transcoder("forgetful")["signer"]
        self.assertEqual(worker.terminate(), 0)
        key = worker.data_dir / "signing.key"
        self.assertEqual(key.stat().st_mode & 0o777, 0o600)
        shutil.move(key, worker.data_dir / "kept.key")
        worker.launch()
        self.assertEqual(worker.process.exit_code(20), 77, worker.process.text())
        self.assertIn("signing.key", worker.process.text())
        shutil.move(worker.data_dir / "kept.key", key)
        worker.launch()
        eventually(lambda: self.orchestrator.transcoder_is("forgetful", "ready"), 20, "it joins again")
        self.assertEqual(self.orchestrator.transcoder("forgetful")["signer"], told)
