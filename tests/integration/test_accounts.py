"""Accounts, keys, tokens, quotas and who may watch: --auth accounts, --playback token, and the admin door beyond loopback."""

import json
import os
import pathlib
import socket

from support import http_client
from support.case import TINY, ClusterCase


def bearer(secret):
    return {"Authorization": f"Bearer {secret}"}


class AccountCase(ClusterCase):
    def account(self, name, *flags, orchestrator=None):
        """The key of a new account."""
        done = (orchestrator or self.orchestrator).command("account", "add", name, *flags)
        self.assertEqual(done.returncode, 0, done)
        return done.stdout.strip()

    def push(self, stream, seq, secret=None, query="", **options):
        headers = {**(bearer(secret) if secret else {}), **options.pop("headers", {})}
        body = options.pop("body", self.clips[seq % len(self.clips)])
        return self.orchestrator.push(stream, f"{seq}.ts", body, headers=headers, query=query, **options)

    def open(self, stream, secret):
        answer = self.orchestrator.open_session(stream, TINY, headers=bearer(secret))
        self.assertEqual(answer.status, 201, answer)
        self.addCleanup(self.orchestrator.end_session, answer.json()["session_id"], bearer(secret))
        return answer.json()


class Accounts(AccountCase):
    @classmethod
    def set_up_cluster(cls, cluster):
        cls.orchestrator = cluster.orchestrator("--auth", "accounts", "--playback", "token", "--log-level", "debug",
                                                "--ladder", json.dumps(TINY))
        cls.transcoder = cluster.transcoder(cls.orchestrator, slots=2)
        made = cls.orchestrator.command("account", "add", "acme", "--json")
        assert made.returncode == 0, made
        cls.key = json.loads(made.stdout)["key"]
        cls.other = cls.orchestrator.command("account", "add", "other", "--stream", "other-*").stdout.strip()

    def refused_early(self, stream, secret, status, code, query=""):
        """A refusal that headers decide: before the body, within a moment, and nothing stays behind."""
        target = f"/live/{stream}/0.ts{query}"
        credentials = f"Authorization: Bearer {secret}\r\n" if secret else ""
        with http_client.connect(self.orchestrator.url) as raw:
            raw.sendall(f"PUT {target} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n{credentials}\r\n".encode())
            answer = http_client.read_answer(raw)
        self.assert_status(answer, status, code)
        self.assertLess(answer.seconds, 5)  # 50 ms on a machine of its own
        self.assertIsNone(self.orchestrator.session(stream))
        if status == 401:
            self.assertEqual(answer.headers["WWW-Authenticate"], "Bearer")

    def test_no_key_and_wrong_keys_are_unauthorized_before_the_body(self):
        stream = self.stream()
        removed = self.account("gone")
        self.assertEqual(self.orchestrator.command("account", "remove", "gone").returncode, 0)
        damaged = self.key[:-1] + ("A" if self.key[-1] != "A" else "B")
        for secret in (None, "nonsense", damaged, removed, "mrk1_" + "A" * 56):
            with self.subTest(secret=secret):
                self.refused_early(stream, secret, 401, "Unauthorized")
        self.refused_early(stream, None, 401, "Unauthorized", query=f"?token={damaged}")

    def test_a_key_works_in_the_header_and_in_the_query_and_opens_a_session(self):
        stream = self.stream()
        first = self.push(stream, 0, self.key)
        second = self.push(stream, 1, query=f"?token={self.key}")
        for answer in (first, second):
            self.assert_status(answer, 200)
        self.assertEqual(first.json()["session_id"], second.json()["session_id"])
        self.assertEqual(self.orchestrator.session(stream)["account"], "acme")
        self.assertEqual(self.orchestrator.end_session(first.json()["session_id"], bearer(self.key)).status, 204)

    def test_a_stream_belongs_to_the_account_that_is_live_on_it(self):
        stream = f"other-{self.stream()}"
        opened = self.open(stream, self.key)
        again = self.orchestrator.open_session(stream, TINY, headers=bearer(self.key))
        self.assert_status(again, 409, "Conflict")
        self.assertEqual(again.json()["session_id"], opened["session_id"])
        self.assert_status(self.orchestrator.open_session(stream, TINY, headers=bearer(self.other)), 403, "Forbidden")
        self.assert_status(self.push(stream, 0, self.other), 403, "Forbidden")
        self.assert_status(self.orchestrator.end_session(opened["session_id"], bearer(self.other)), 403, "Forbidden")
        self.assert_status(self.orchestrator.end_session(opened["session_id"]), 401, "Unauthorized")
        self.assert_status(self.push(stream, 0, self.key), 200)
        self.assertEqual(self.orchestrator.end_session(opened["session_id"], bearer(opened["token"])).status, 204)
        taken = self.push(stream, 0, self.other)  # free again
        self.assert_status(taken, 200)
        self.orchestrator.end_session(taken.json()["session_id"], bearer(self.other))

    def test_an_account_and_a_token_keep_to_their_streams(self):
        self.refused_early(self.stream(), self.other, 403, "Forbidden")
        opened = self.open(self.stream(), self.key)
        self.refused_early(self.stream(), opened["token"], 403, "Forbidden")
        self.assert_status(self.orchestrator.end_session("0" * 32, bearer(opened["token"])), 403, "Forbidden")
        self.assert_status(self.orchestrator.end_session("0" * 32, bearer(self.key)), 404, "NotFound")

    def test_the_token_of_an_ended_session_reopens_it_under_its_id(self):
        stream = self.stream()
        opened = self.open(stream, self.key)
        self.assertEqual(self.orchestrator.end_session(opened["session_id"], bearer(self.key)).status, 204)
        reopened = self.orchestrator.open_session(stream, TINY, headers=bearer(opened["token"]))
        self.assert_status(reopened, 201)
        self.assertEqual(reopened.json()["session_id"], opened["session_id"])

    def test_a_removed_account_is_out_at_once_with_its_sessions_and_tokens(self):
        stream = self.stream()
        key = self.account("leaving")
        opened = self.open(stream, key)
        self.assert_status(self.push(stream, 0, opened["token"]), 200)
        self.assertEqual(self.orchestrator.command("account", "remove", "leaving").returncode, 0)
        self.assertIsNone(self.orchestrator.session(stream))
        for secret in (key, opened["token"]):
            self.assert_status(self.push(stream, 1, secret), 401, "Unauthorized")
        self.assert_status(http_client.get(opened["playback_url"]), 401, "Unauthorized")
        again = self.account("leaving")  # another of that name: nothing of the old one is good
        self.assert_status(self.push(stream, 1, opened["token"]), 401, "Unauthorized")
        self.assert_status(self.push(stream, 1, key), 401, "Unauthorized")
        self.open(stream, again)

    def test_quotas_are_429_naming_the_limit_and_count_what_is_accepted(self):
        few = self.account("few", "--max-sessions", "1", "--max-segments-per-minute", "2")
        stream = self.stream()
        opened = self.open(stream, few)
        refused = self.orchestrator.open_session(self.stream(), TINY, headers=bearer(few))
        self.assert_status(refused, 429, "QuotaExceeded")
        self.assertIn("sessions 1", refused.json()["detail"])
        self.assertTrue(refused.json()["retryable"])
        self.assert_retry_after(refused)
        for seq in (0, 1):
            self.assert_status(self.push(stream, seq, opened["token"]), 200)
        self.assert_status(self.push(stream, 1, opened["token"]), 200)  # a repeat costs nothing
        refused = self.push(stream, 2, few)
        self.assert_status(refused, 429, "QuotaExceeded")
        self.assertIn("segments per minute 2", refused.json()["detail"])
        self.assertLessEqual(1, int(refused.headers["Retry-After"]))
        self.assertLessEqual(int(refused.headers["Retry-After"]), 30)

    def test_accounts_are_listed_without_their_keys(self):
        self.account("limited", "--max-bytes-per-second", "1MiB", "--max-pixels-per-second", "1000000", "--stream", "a,b*")
        listed = self.orchestrator.command("account", "list", "--json")
        self.assertEqual(listed.returncode, 0, listed)
        found = {a["name"]: a for a in json.loads(listed.stdout)}
        self.assertEqual(found["limited"]["max_bytes_per_second"], 1 << 20)
        self.assertEqual(found["limited"]["streams"], ["a", "b*"])
        self.assertIsNone(found["acme"]["max_sessions"])
        self.assertNotIn(self.key, listed.stdout)
        self.assertIn("limited", self.orchestrator.command("account", "list").stdout)
        for arguments in (("add", "limited"), ("add", "x", "--stream", "a*b"), ("add", "a/b"), ("remove", "nobody"),
                          ("add", "x", "--max-segments-per-minute", "0")):
            with self.subTest(arguments=arguments):
                done = self.orchestrator.command("account", *arguments)
                self.assertNotEqual(done.returncode, 0, done)
                self.assertTrue(done.stderr)

    def test_a_player_needs_the_playback_url_and_follows_it_to_the_bytes(self):
        stream = self.stream()
        opened = self.open(stream, self.key)
        pushed = self.push(stream, 0, opened["token"])
        self.assert_status(pushed, 200)
        self.assertEqual(http_client.get(pushed.json()["renditions"][0]["url"]).status, 200)
        base = f"{self.orchestrator.url}/stream"
        url = opened["playback_url"]
        master = http_client.get(url).body.decode()
        variant = next(line for line in master.splitlines() if line.startswith(f"{stream}/small.m3u8?token="))
        media = http_client.get(f"{base}/{variant}").body.decode()
        segment = next(line for line in media.splitlines() if line.startswith("small/"))
        played = http_client.get(f"{base}/{stream}/{segment}")
        self.assertEqual((played.status, len(played.body)), (200, pushed.json()["renditions"][0]["bytes"]))
        bare = [url, f"{base}/{variant}", f"{base}/{stream}/{segment}"]
        for address in bare:
            self.assert_status(http_client.get(address.split("?")[0]), 401, "Unauthorized")
            self.assert_status(http_client.get(f"{address.split('?')[0]}?token={opened['token']}"), 401, "Unauthorized")
        elsewhere = self.open(self.stream(), self.key)["playback_url"]
        self.assert_status(http_client.get(f"{url.split('?')[0]}?{elsewhere.split('?')[1]}"), 403, "Forbidden")
        self.assert_status(self.push(stream, 1, query=f"?{url.split('?')[1]}"), 401, "Unauthorized")

    def test_a_rotated_key_signs_and_the_old_tokens_stay_good_also_after_a_restart(self):
        own = self.new_cluster()
        orchestrator = own.orchestrator("--auth", "accounts")
        key = self.account("acme", orchestrator=orchestrator)
        before = orchestrator.open_session("cam", TINY, headers=bearer(key)).json()
        self.assertEqual(orchestrator.command("token-key", "rotate").returncode, 0)
        after = orchestrator.open_session("cam2", TINY, headers=bearer(key)).json()
        self.assertNotEqual(before["token"][:11], after["token"][:11])  # the key's id stands in front
        orchestrator.terminate()
        orchestrator.start()
        keys = json.loads(orchestrator.command("token-key", "list", "--json").stdout)
        self.assertEqual([(k["id"], k["signs"]) for k in keys], [(2, True), (1, False)])
        for opened in (before, after):
            ended = orchestrator.end_session(opened["session_id"], bearer(opened["token"]))
            self.assertEqual(ended.status, 204, ended)
        self.assert_status(orchestrator.open_session("cam", TINY, headers=bearer("mrk1_wrong")), 401, "Unauthorized")
        self.assertEqual(orchestrator.open_session("cam", TINY, headers=bearer(key)).status, 201)

    def test_no_secret_that_was_shown_stands_anywhere_else(self):
        stream = self.stream()
        opened = self.open(stream, self.key)
        watch = opened["playback_url"].split("token=")[1]
        self.assert_status(self.push(stream, 0, query=f"?token={self.key}"), 200)
        self.assert_status(self.push(stream, 1, opened["token"]), 200)
        self.assertEqual(http_client.get(opened["playback_url"]).status, 200)
        self.push(stream, 2, query=f"?token={self.key[:-1]}_")  # refused ones are not logged either
        admin = (self.orchestrator.data_dir / "admin.token").read_text().strip()
        places = {"metrics": http_client.get(f"{self.orchestrator.admin}/metrics").body,
                  "status": http_client.get(f"{self.orchestrator.admin}/status").body}
        for daemon in (self.orchestrator, self.transcoder):
            places[f"log of {daemon.name}"] = daemon.log.read_bytes()
            for path in daemon.data_dir.rglob("*"):
                if path.is_file():
                    places[str(path)] = path.read_bytes()
        for process in pathlib.Path("/proc").iterdir():
            if process.name.isdigit() and process.name != str(os.getpid()):
                for name in ("cmdline", "environ"):
                    try:
                        places[f"{process}/{name}"] = (process / name).read_bytes()
                    except OSError:
                        pass
        secrets = {"key": self.key, "token": opened["token"], "playback token": watch}
        # The part after the prefix is as secret as the whole; half of it would be found, too.
        for what, secret in secrets.items():
            for place, content in places.items():
                self.assertNotIn(secret[5:45].encode(), content, f"the {what} stands in {place}")
        for place, content in places.items():
            if not place.endswith(("admin.token", "millrace.db", "millrace.db-wal")):
                self.assertNotIn(admin.encode(), content, f"the admin token stands in {place}")


def own_address():
    """An address of this machine that is not loopback, or None."""
    probe = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        probe.connect(("192.0.2.1", 9))  # a route is enough, nothing is sent
        address = probe.getsockname()[0]
        return None if address.startswith("127.") else address
    except OSError:
        return None
    finally:
        probe.close()


# Every route of the orchestrator's admin API (contract, section 5), and what is open beyond loopback.
OPEN = ("/metrics", "/healthz", "/readyz")
READS = ("/status", "/join-tokens", "/accounts", "/token-keys")
POSTS = ("/transcoders/x/drain", "/transcoders/x/cordon", "/transcoders/x/uncordon", "/sessions/x/end", "/max-sessions",
         "/join-tokens", "/join-tokens/x/revoke", "/accounts", "/accounts/x/remove", "/token-keys/rotate")


class AdminDoor(AccountCase):
    @classmethod
    def set_up_cluster(cls, cluster):
        cls.orchestrator = cluster.orchestrator("--auth", "accounts")

    def refused(self, base, wrong):
        for headers in ({}, bearer("0" * 32), {"Authorization": "Basic eDp5"}):
            for method, path in wrong:
                with self.subTest(method=method, path=path, headers=headers):
                    answer = http_client.request(method, base + path, body=b"{}" if method == "POST" else None, headers=headers)
                    self.assert_status(answer, 401, "Unauthorized")

    def test_every_post_needs_the_token_also_on_loopback(self):
        self.refused(self.orchestrator.admin, [("POST", path) for path in POSTS])
        self.refused(self.orchestrator.admin, [("GET", "/join-tokens")])
        for path in (*OPEN, "/status", "/accounts", "/token-keys"):
            self.assertIn(http_client.get(self.orchestrator.admin + path).status, (200, 503), path)
        done = self.orchestrator.command("account", "add", "x", "--admin-token", "0" * 32)
        self.assertNotEqual(done.returncode, 0, done)
        self.assertIn("admin token", done.stderr)
        self.assertEqual(self.orchestrator.command("account", "list", "--json").stdout.strip(), "[]")

    def test_beyond_loopback_only_health_and_metrics_are_open(self):
        address = own_address()
        if address is None:
            self.skipTest("NO ADDRESS BEYOND LOOPBACK ON THIS MACHINE: the admin door was not tested from there")
        own = self.new_cluster()
        orchestrator = own.orchestrator("--admin-addr", f"{address}:0")
        self.assertTrue(orchestrator.endpoints["admin"].startswith(address))
        self.refused(orchestrator.admin, [("GET", p) for p in READS] + [("POST", p) for p in POSTS])
        for path in OPEN:
            self.assertIn(http_client.get(orchestrator.admin + path).status, (200, 503), path)
        token = (orchestrator.data_dir / "admin.token").read_text().strip()
        for path in READS:
            self.assertEqual(http_client.get(orchestrator.admin + path, headers=bearer(token)).status, 200, path)
