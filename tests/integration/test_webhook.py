"""--auth webhook: go-livepeer's auth webhook, asked by the real orchestrator."""

import contextlib
import http.server
import json
import pathlib
import shutil
import ssl
import threading
import time
import unittest

from support import certificates, http_client
from support.case import TINY, ClusterCase
from support.wait import eventually


class Webhook:
    """Answers as told; `asked` are the URLs it was sent."""

    def __init__(self, certificate=None):
        self.asked = []
        self.answer = (200, b"")
        self.location = None  # with a 3xx
        self.go_on = threading.Event()  # until then it does not answer
        self.go_on.set()
        hook = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                hook.asked.append(body["url"])
                hook.go_on.wait(60)
                status, answer = hook.answer
                self.send_response(status)
                if hook.location:
                    self.send_header("Location", hook.location)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                with contextlib.suppress(OSError):  # whoever asked has heard enough
                    self.wfile.write(answer)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def port(self):
        return self.server.server_address[1]

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class WebhookAuth(ClusterCase):
    @classmethod
    def set_up_cluster(cls, cluster):
        cls.hook = Webhook()
        cls.addClassCleanup(cls.hook.close)
        secret = cluster.directory / "hook.url"
        secret.touch(mode=0o600)
        secret.write_text(f"http://127.0.0.1:{cls.hook.port}/auth?key=hush-hush\n")
        cls.orchestrator = cluster.orchestrator("--auth", f"webhook:@{secret}", "--log-level", "debug")
        cls.transcoder = cluster.transcoder(cls.orchestrator, slots=2)

    def setUp(self):
        self.hook.asked.clear()
        self.hook.answer = (200, b"")

    def test_it_is_asked_once_a_session_and_gives_name_and_ladder(self):
        public = self.stream()
        self.hook.answer = (200, json.dumps({"manifestID": public, "profiles": TINY}).encode())
        for seq in (0, 1):
            pushed = self.orchestrator.push("secret-key", f"{seq}.ts", self.clips[seq], query="?viewer=a%20b")
            self.assert_status(pushed, 200)
        self.assertEqual(self.hook.asked, [f"{self.orchestrator.url}/live/secret-key/0.ts?viewer=a%20b"])
        self.assertEqual([r["name"] for r in pushed.json()["renditions"]], ["small"])
        self.assertEqual(http_client.get(f"{self.orchestrator.url}/stream/{public}.m3u8").status, 200)
        self.assertEqual(http_client.get(f"{self.orchestrator.url}/stream/secret-key.m3u8").status, 404)
        self.assert_status(self.orchestrator.end_session(pushed.json()["session_id"]), 401, "Unauthorized")
        # What was said yes to is over with its session.
        ended = self.orchestrator.command("session", "end", pushed.json()["session_id"])
        self.assertEqual(ended.returncode, 0, ended)
        self.hook.answer = (403, b"")
        refused = self.orchestrator.push("secret-key", "2.ts", self.clips[0], query="?viewer=a%20b")
        self.assert_status(refused, 401, "Unauthorized")

    def test_its_no_is_final_and_leaves_nothing_behind(self):
        self.hook.answer = (401, b"who are you")
        stream = self.stream()
        self.assert_status(self.orchestrator.push(stream, "0.ts", self.clips[0]), 401, "Unauthorized")
        self.assert_status(self.orchestrator.open_session(stream, TINY), 401, "Unauthorized")
        self.assertIsNone(self.orchestrator.session(stream))

    def test_a_session_it_let_open_goes_on_by_its_token(self):
        stream = self.stream()
        opened = self.orchestrator.open_session(stream, TINY)
        self.assert_status(opened, 201)
        self.assertEqual(self.hook.asked, [f"{self.orchestrator.url}/live/{stream}"])
        self.hook.answer = (403, b"")
        token = {"Authorization": f"Bearer {opened.json()['token']}"}
        self.assert_status(self.orchestrator.push(stream, "0.ts", self.clips[0], headers=token), 200)
        self.assertEqual(self.orchestrator.end_session(opened.json()["session_id"], token).status, 204)

    def test_an_answer_that_cannot_be_used_is_not_a_no(self):
        for answer in (b"[]", b'{"manifestID":"a/b"}', b'{"profiles":[{"width":-1}]}', b"x" * 100_000):
            with self.subTest(answer=answer[:30]):
                self.hook.answer = (200, answer)
                refused = self.orchestrator.push(self.stream(), "0.ts", self.clips[0])
                self.assert_status(refused, 503, "AuthUnavailable")
                self.assert_retry_after(refused)
        self.assertNotIn("hush-hush", self.orchestrator.log.read_text())

    def test_it_is_not_followed_to_another_place(self):
        elsewhere = Webhook()
        self.addCleanup(elsewhere.close)
        for status in (302, 307, 308):
            with self.subTest(status=status):
                self.hook.answer, self.hook.location = (status, b""), f"http://127.0.0.1:{elsewhere.port}/auth"
                self.addCleanup(setattr, self.hook, "location", None)
                self.assert_status(self.orchestrator.push(self.stream(), "0.ts", self.clips[0]), 401, "Unauthorized")
        self.assertEqual(elsewhere.asked, [])

    def test_nobody_there_is_unavailable(self):
        alone = self.new_cluster().orchestrator("--auth", "webhook:http://127.0.0.1:1/")
        self.assert_status(alone.push("cam", "0.ts", self.clips[0]), 503, "AuthUnavailable")


@unittest.skipUnless(shutil.which("openssl"), "NO openssl: https webhooks were not tested")
class SecuredWebhook(ClusterCase):
    """The same over https: whom it believes, and that nothing which answers can hold it up."""

    @classmethod
    def set_up_cluster(cls, cluster):
        directory = pathlib.Path(cluster.directory)
        cls.trusted = certificates.Certificate(directory, "trusted")
        cls.misnamed = certificates.Certificate(directory, "misnamed", "DNS:elsewhere.example")
        cls.hook = Webhook((cls.trusted.cert, cls.trusted.key))
        cls.addClassCleanup(cls.hook.close)
        cls.orchestrator = cls.asking(cluster, cls.hook, "--webhook-ca", cls.trusted.cert)
        cluster.transcoder(cls.orchestrator, slots=6)  # nobody ends these sessions

    @staticmethod
    def asking(cluster, hook, *flags):
        return cluster.orchestrator("--auth", f"webhook:https://127.0.0.1:{hook.port}/", *flags)

    def setUp(self):
        self.hook.asked.clear()
        self.hook.answer, self.hook.location = (200, b""), None
        self.hook.go_on.set()

    def assert_unavailable(self, orchestrator):
        refused = orchestrator.push(self.stream(), "0.ts", self.clips[0])
        self.assert_status(refused, 503, "AuthUnavailable")
        self.assert_retry_after(refused)

    def test_who_has_a_certificate_that_is_vouched_for_is_asked(self):
        self.assert_status(self.orchestrator.push(self.stream(), "0.ts", self.clips[0]), 200)
        self.assertEqual(len(self.hook.asked), 1)
        self.hook.answer = (403, b"")
        self.assert_status(self.orchestrator.push(self.stream(), "0.ts", self.clips[0]), 401, "Unauthorized")

    def test_a_certificate_nobody_vouches_for_or_of_another_name_is_not_asked(self):
        cluster = self.new_cluster()
        self.assert_unavailable(self.asking(cluster, self.hook))
        self.assertEqual(self.hook.asked, [])
        misnamed = Webhook((self.misnamed.cert, self.misnamed.key))
        self.addCleanup(misnamed.close)
        self.assert_unavailable(self.asking(cluster, misnamed, "--webhook-ca", self.misnamed.cert))
        self.assertEqual(misnamed.asked, [])

    def test_it_is_not_followed_to_another_place(self):
        elsewhere = Webhook()
        self.addCleanup(elsewhere.close)
        self.hook.answer, self.hook.location = (302, b""), f"http://127.0.0.1:{elsewhere.port}/"
        self.assert_status(self.orchestrator.push(self.stream(), "0.ts", self.clips[0]), 401, "Unauthorized")
        self.assertEqual(elsewhere.asked, [])

    def test_an_answer_without_end_is_not_read_to_its_end(self):
        self.hook.answer = (200, b" " * (64 << 20))
        before = self.orchestrator.metric("process_resident_memory_bytes")
        self.assert_unavailable(self.orchestrator)
        self.assertLess(self.orchestrator.metric("process_resident_memory_bytes") - before, 16 << 20)

    def test_one_that_does_not_answer_is_given_up_and_holds_up_nobody_else(self):
        running = self.stream()
        self.assert_status(self.orchestrator.push(running, "0.ts", self.clips[0]), 200)
        self.hook.go_on.clear()
        since = time.monotonic()
        waiting = threading.Thread(target=self.assert_unavailable, args=(self.orchestrator,), daemon=True)
        waiting.start()
        eventually(lambda: len(self.hook.asked) == 2, 5, "it is asked")
        self.assert_status(self.orchestrator.push(running, "1.ts", self.clips[1]), 200)
        waiting.join(30)
        self.assertFalse(waiting.is_alive(), "it is still waited for")
        self.assertGreater(time.monotonic() - since, 4)
        self.hook.go_on.set()
        self.assert_status(self.orchestrator.push(self.stream(), "0.ts", self.clips[0]), 200)
