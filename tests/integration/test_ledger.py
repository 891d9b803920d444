"""Who earned what: sums, periods and the chain, asked with the subcommands of a running orchestrator."""

import csv
import io
import json
import random
import shutil
import sqlite3
import time

from integration.test_faults import Broadcaster
from support import http_client
from support.case import LADDER, TINY, ClusterCase
from support.cluster import binary
from support.processes import run_to_end
from support.wait import eventually

SUMS = ("segments", "duration_us", "decoded_frames", "decoded_pixels", "encoded_frames", "encoded_pixels", "source_bytes", "encoded_bytes")


class Ledger(ClusterCase):
    @classmethod
    def set_up_cluster(cls, cluster):
        cls.orchestrator = cluster.orchestrator()
        cls.transcoder = cluster.transcoder(cls.orchestrator, name="worker", slots=2)

    def ask(self, *arguments, orchestrator=None):
        done = (orchestrator or self.orchestrator).command("ledger", *arguments)
        self.assertEqual((done.returncode, done.stderr), (0, ""), done)
        return done.stdout

    def lines(self, *arguments, orchestrator=None):
        return json.loads(self.ask("--json", *arguments, orchestrator=orchestrator))

    def verify(self, directory, *arguments):
        return run_to_end([binary("orchestrator"), "ledger", "verify", "--data-dir", directory, *arguments])

    def push(self, opened, numbers):
        answers = []
        for seq in numbers:
            answer = self.orchestrator.push(opened["stream"], f"{seq}.ts", self.clips[seq])
            self.assert_status(answer, 200)
            answers.append(answer.json())
        return answers

    def test_what_is_booked_is_what_was_answered(self):
        opened = self.session(self.orchestrator, LADDER)
        answers = self.push(opened, range(3))
        self.push(opened, range(2))  # replayed: nobody earns twice
        line = next(x for x in self.lines("--by", "session")["lines"] if x["session"] == opened["session_id"])
        self.assertEqual(line["stream"], opened["stream"])
        made = [r for a in answers for r in a["renditions"]]
        self.assertEqual(line["segments"], 3)
        self.assertEqual(line["encoded_pixels"], sum(r["pixels"] for r in made))
        self.assertEqual(line["encoded_frames"], sum(r["frames"] for r in made))
        self.assertEqual(line["encoded_bytes"], sum(r["bytes"] for r in made))
        self.assertEqual(line["source_bytes"], sum(len(self.clips[seq]) for seq in range(3)))
        self.assertEqual(line["decoded_pixels"], line["decoded_frames"] * 320 * 180)
        self.assertAlmostEqual(line["seconds"], line["duration_us"] / 1e6)
        self.assertGreater(line["seconds"], 1)

    def test_the_head_is_published_and_sums_are_metrics(self):
        opened = self.session(self.orchestrator, TINY)
        before = self.orchestrator.metrics()
        self.push(opened, range(2))
        self.push(opened, range(1))
        after = self.orchestrator.metrics()
        line = next(x for x in self.lines("--by", "session")["lines"] if x["session"] == opened["session_id"])
        for key, metric, labels in (("seconds", "seconds_total", {}), ("decoded_pixels", "pixels_total", {"kind": "decoded"}),
                                    ("encoded_pixels", "pixels_total", {"kind": "encoded"}), ("encoded_frames", "frames_total", {"kind": "encoded"}),
                                    ("decoded_frames", "frames_total", {"kind": "decoded"}), ("source_bytes", "bytes_total", {"kind": "source"}),
                                    ("encoded_bytes", "bytes_total", {"kind": "encoded"}), ("segments", "rows", {})):
            name = f"millrace_orchestrator_ledger_{metric}"
            self.assertAlmostEqual(after.value(name, **labels) - before.value(name, **labels), line[key], 3, name)
        published = self.orchestrator.status()["ledger"]
        self.assertEqual(published["rows"], after.value("millrace_orchestrator_ledger_rows"))
        checked = self.verify(self.orchestrator.data_dir, "--head", published["head"])
        self.assertEqual(checked.returncode, 0, checked)

    def test_every_way_of_adding_up_gives_one_total(self):
        self.push(self.session(self.orchestrator, TINY), range(2))
        by = {whom: self.lines("--by", whom) for whom in ("transcoder", "account", "session")}
        for key in SUMS:
            totals = {sum(line[key] for line in answer["lines"]) for answer in by.values()}
            self.assertEqual(totals, {answer["total"][key] for answer in by.values()}, key)
        self.assertEqual(by["transcoder"]["lines"][0]["name"], "worker")
        self.assertEqual(by["transcoder"]["lines"][0]["transcoder"], self.orchestrator.transcoder("worker")["key"])
        self.assertEqual(self.lines()["by"], "transcoder")

    def test_csv_and_the_table_say_the_same_as_json(self):
        self.push(self.session(self.orchestrator, TINY), range(1))
        for whom, column in (("transcoder", "name"), ("account", "account"), ("session", "session")):
            with self.subTest(by=whom):
                lines = self.lines("--by", whom)["lines"]
                rows = list(csv.DictReader(io.StringIO(self.ask("--by", whom, "--csv"))))
                self.assertEqual([r[column] for r in rows], [line[column] for line in lines])
                for row, line in zip(rows, lines):
                    self.assertEqual(row["seconds"], f"{line['duration_us'] // 10**6}.{line['duration_us'] % 10**6:06}")
                    for key in SUMS:
                        if key != "duration_us":
                            self.assertEqual(int(row[key]), line[key], key)
                table = self.ask("--by", whom).splitlines()
                self.assertEqual(len(table), len(lines) + 2)
                self.assertTrue(table[-1].startswith("total"), table)

    def test_a_time_can_be_told_in_three_ways(self):
        self.push(self.session(self.orchestrator, TINY), range(1))
        total = self.lines()["total"]["segments"]
        tomorrow = time.strftime("%Y-%m-%d", time.gmtime(time.time() + 86400))
        self.assertEqual(self.lines("--since", "1h")["total"]["segments"], total)
        self.assertEqual(self.lines("--until", "1h")["total"]["segments"], 0)
        self.assertEqual(self.lines("--until", tomorrow)["total"]["segments"], total)
        self.assertEqual(self.lines("--since", f"{tomorrow}T00:00:00+00:00")["total"]["segments"], 0)
        self.assertEqual(self.lines("--since", tomorrow)["lines"], [])

    def test_what_cannot_be_asked_is_told_so(self):
        for arguments, words in ((["--since", "yesterday"], "2026-11-25T04:30:00Z"), (["--by", "moon"], "transcoder, account or session"),
                                 (["--period", "1", "--since", "1h"], "--period"), (["--csv", "--json"], "--csv"),
                                 (["--period", "1", "--by", "session"], "--by")):
            with self.subTest(arguments=arguments):
                done = self.orchestrator.command("ledger", *arguments)
                self.assertEqual(done.returncode, 78, done)
                self.assertIn(words, done.stderr)
        for query in ("by=moon", "since=yesterday", "period=x", "period=1&by=session", "whom=me", "period=999"):
            with self.subTest(query=query):
                token = (self.orchestrator.data_dir / "admin.token").read_text().strip()
                answer = http_client.get(f"{self.orchestrator.admin}/ledger?{query}", headers={"Authorization": f"Bearer {token}"})
                self.assert_status(answer, 400, "BadRequest")

    def test_it_is_nobodys_business_without_the_token(self):
        for path in ("/ledger", "/ledger/periods"):
            self.assert_status(http_client.get(self.orchestrator.admin + path), 401, "Unauthorized")
        self.assert_status(http_client.request("POST", f"{self.orchestrator.admin}/ledger/close", body=b"{}"), 401, "Unauthorized")

    def test_a_closed_period_stays_as_it_was(self):
        opened = self.session(self.orchestrator, TINY)
        self.push(opened, range(2))
        done = self.orchestrator.command("ledger", "close", "--json")
        self.assertEqual(done.returncode, 0, done)
        closed = json.loads(done.stdout)
        number = str(closed["number"])
        before = {whom: self.lines("--period", number, "--by", whom)["lines"] for whom in ("transcoder", "account")}
        if closed["from"] is None:
            self.assertEqual(before["transcoder"], self.lines("--until", closed["until"])["lines"])
        self.push(opened, range(2, 4))
        for whom, lines in before.items():
            self.assertEqual(self.lines("--period", number, "--by", whom)["lines"], lines)
        self.assertEqual(self.lines("--since", closed["until"], "--by", "session")["total"]["segments"], 2)
        periods = json.loads(self.orchestrator.command("ledger", "periods", "--json").stdout)
        self.assertIn(closed, periods)
        self.assertIn(closed["head"], self.orchestrator.command("ledger", "periods").stdout)
        again = self.orchestrator.command("ledger", "close", "--until", closed["until"])
        self.assertEqual(again.returncode, 65, again)
        self.assertIn("closed already", again.stderr)
        later = self.orchestrator.command("ledger", "close", "--until", "2999-01-01")
        self.assertEqual(later.returncode, 65, later)
        self.assertIn("still to come", later.stderr)
        checked = self.verify(self.orchestrator.data_dir, "--head", closed["head"])
        self.assertEqual(checked.returncode, 0, checked)

    def test_a_changed_row_is_found_and_named(self):
        opened = self.session(self.orchestrator, TINY)
        self.push(opened, range(2))
        whole = self.verify(self.orchestrator.data_dir, "--json")
        self.assertEqual(whole.returncode, 0, whole)
        found = json.loads(whole.stdout)
        self.assertTrue(found["ok"])
        copy = self.cluster.directory / f"copy-{opened['stream']}"
        copy.mkdir(mode=0o700)
        done = run_to_end([binary("orchestrator"), "backup", copy / "millrace.db", "--data-dir", self.orchestrator.data_dir])
        self.assertEqual(done.returncode, 0, done)
        with sqlite3.connect(copy / "millrace.db") as database:
            database.execute("DROP TRIGGER segments_stay")
            database.execute("UPDATE segments SET encoded_pixels = encoded_pixels + 1 WHERE session = ? AND seq = 1", (opened["session_id"],))
        database.close()
        broken = self.verify(copy)
        self.assertEqual(broken.returncode, 65, broken)
        self.assertIn(f"session {opened['session_id']}, segment 1", broken.stderr)
        foreign = self.verify(self.orchestrator.data_dir, "--head", "ab" * 32)
        self.assertEqual(foreign.returncode, 65, foreign)
        self.assertEqual(self.verify(self.cluster.directory / "nowhere").returncode, 65)
        shutil.rmtree(copy)

    def test_kills_cost_nobody_a_pixel_and_give_nobody_one(self):
        cluster = self.new_cluster()
        orchestrator = cluster.orchestrator()
        transcoder = cluster.transcoder(orchestrator, slots=2)
        chance = random.Random(3)
        expected = {}
        for _ in range(2):
            sessions = [self.session(orchestrator, TINY) for _ in range(2)]
            pushing = [Broadcaster(orchestrator, s["stream"], self.clips[:6], token=s["token"], retry=True) for s in sessions]
            until = time.monotonic() + chance.uniform(0.1, 1.2)
            eventually(lambda at=until: time.monotonic() >= at, 10, "the instant to kill it at")
            orchestrator.kill()
            orchestrator.start()
            eventually(lambda: orchestrator.transcoder_is(transcoder.name, "ready"), 20, "it dispatches again")
            for session, broadcaster in zip(sessions, pushing):
                answers = broadcaster.finished(60)
                self.assertEqual([a.status for a in answers], [200] * 6)
                expected[session["session_id"]] = sum(len(clip) for clip in self.clips[:6])
        lines = {x["session"]: x for x in self.lines("--by", "session", orchestrator=orchestrator)["lines"]}
        self.assertEqual({k: (x["segments"], x["source_bytes"]) for k, x in lines.items()}, {k: (6, size) for k, size in expected.items()})
        self.assertEqual(len({x["encoded_pixels"] for x in lines.values()}), 1, "equal work, equal pay")
        orchestrator.kill()
        checked = self.verify(orchestrator.data_dir)
        self.assertEqual(checked.returncode, 0, checked)
