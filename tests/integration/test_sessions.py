"""Sessions: opening, tokens, conflicts, ending."""

import json

from support import http_client
from support.case import LADDER, TINY, ClusterCase


class Sessions(ClusterCase):
    @classmethod
    def set_up_cluster(cls, cluster):
        cls.orchestrator = cluster.orchestrator()
        cls.transcoder = cluster.transcoder(cls.orchestrator, slots=2)

    def bearer(self, token):
        return {"Authorization": f"Bearer {token}"}

    def test_an_opened_session_says_where_to_push_and_where_to_watch(self):
        opened = self.session(self.orchestrator)
        self.assertLessEqual({"session_id", "token", "expires_at", "upload_url", "playback_url", "renditions"}, opened.keys())
        self.assertTrue(opened["upload_url"].startswith(self.orchestrator.url), opened)
        self.assertTrue(opened["playback_url"].startswith(self.orchestrator.url), opened)
        self.assertEqual(len(opened["renditions"]), len(LADDER))
        pushed = http_client.request("PUT", f"{opened['upload_url'].rstrip('/')}/0.ts", body=self.clips[0],
                                     headers=self.bearer(opened["token"]))
        self.assertEqual((pushed.status, pushed.json()["session_id"]), (200, opened["session_id"]))
        self.assert_status(http_client.get(opened["playback_url"]), 200)

    def test_a_token_works_in_the_header_and_in_the_query(self):
        opened = self.session(self.orchestrator, TINY)
        in_header = self.orchestrator.push(opened["stream"], "0.ts", self.clips[0], headers=self.bearer(opened["token"]))
        in_query = self.orchestrator.push(opened["stream"], "1.ts", self.clips[1], query=f"?token={opened['token']}")
        for answer in (in_header, in_query):
            self.assertEqual((answer.status, answer.json()["session_id"]), (200, opened["session_id"]))

    def test_a_token_nobody_gave_out_is_unauthorized(self):
        opened = self.session(self.orchestrator, TINY)
        answer = self.orchestrator.push(opened["stream"], "0.ts", self.clips[0], headers=self.bearer("not-a-token"))
        self.assert_status(answer, 401, "Unauthorized")

    def test_a_token_is_not_good_for_another_stream(self):
        opened, other = self.session(self.orchestrator, TINY), self.session(self.orchestrator, TINY)
        answer = self.orchestrator.push(other["stream"], "0.ts", self.clips[0], headers=self.bearer(opened["token"]))
        self.assertIn((answer.status, answer.code), [(401, "Unauthorized"), (403, "Forbidden")])

    def test_a_live_stream_cannot_be_opened_twice_and_the_refusal_names_it(self):
        opened = self.session(self.orchestrator, TINY)
        answer = self.orchestrator.open_session(opened["stream"], TINY)
        self.assert_status(answer, 409, "Conflict")
        self.assertIn(opened["session_id"], answer.body.decode())

    def test_an_ended_session_is_reopened_by_its_token_under_its_id(self):
        opened = self.session(self.orchestrator, TINY)
        self.assert_status(self.orchestrator.push(opened["stream"], "0.ts", self.clips[0]), 200)
        self.assertIn(self.orchestrator.end_session(opened["session_id"]).status, (200, 204))
        reopened = self.orchestrator.open_session(opened["stream"], TINY, headers=self.bearer(opened["token"]))
        self.assert_status(reopened, 201)
        self.assertEqual(reopened.json()["session_id"], opened["session_id"])
        pushed = self.orchestrator.push(opened["stream"], "1.ts", self.clips[1], headers=self.bearer(opened["token"]))
        self.assert_status(pushed, 200)
        self.assertEqual(pushed.json()["session_id"], opened["session_id"])

    def test_ending_a_session_frees_its_slot_at_once(self):
        opened = self.session(self.orchestrator, TINY)
        self.assert_status(self.orchestrator.push(opened["stream"], "0.ts", self.clips[0]), 200)
        loaded = self.orchestrator.transcoder(self.transcoder.name)["load"]
        self.assertIn(self.orchestrator.end_session(opened["session_id"]).status, (200, 204))
        self.assertEqual(self.orchestrator.transcoder(self.transcoder.name)["load"], loaded - 1)
        self.assertEqual(self.orchestrator.status()["capacity"]["sessions_active"], loaded - 1)

    def test_an_unknown_session_cannot_be_ended(self):
        self.assert_status(self.orchestrator.end_session("00000000000000000000000000000000"), 404, "NotFound")
        self.assert_status(self.orchestrator.end_session("nonsense"), 404, "NotFound")

    def test_a_wrong_ladder_is_refused_with_every_mistake_by_its_path(self):
        ladder = [
            {"name": "a", "width": -5, "height": 90, "bitrate": 100000},
            {"name": "b", "width": 160, "height": 90, "bitrate": 100000, "encoder": "ProRes"},
            {"name": "c", "width": 160, "height": 90, "bitrate": 100000, "wdith": 3},
        ]
        answer = self.orchestrator.open_session(self.stream(), ladder)
        self.assert_status(answer, 400, "BadRequest")
        errors = answer.json()["errors"]
        self.assertEqual(len(errors), 3, errors)
        for place, field, error in zip(range(3), ("width", "encoder", "wdith"), errors):
            self.assertIn(f"[{place}]", error["path"])
            self.assertIn(field, error["path"] + error["detail"])

    def test_what_cannot_be_made_is_refused_and_not_ignored(self):
        for field, change in (("encoder", {"encoder": "VP8"}), ("container", {"encoder": "VP9"}),
                              ("container", {"encoder": "AV1", "container": "mpegts"}),
                              ("profile", {"profile": "H264High", "colorDepth": 10})):
            with self.subTest(change=change):
                answer = self.orchestrator.open_session(self.stream(), [{**TINY[0], **change}])
                if answer.status == 201:
                    self.addCleanup(self.orchestrator.end_session, answer.json()["session_id"])
                self.assert_status(answer, 400, "BadRequest")
                self.assertIn(field, json.dumps(answer.json()["errors"]))

    def test_a_body_that_is_no_json_or_no_session_is_a_bad_request(self):
        for body in (b"", b"{", b"[]", b'{"stream":7}', b'{"ladder":[]}', b'{"stream":"a/b"}', b'{"stream":".."}',
                     b'{"stream":"x","ladder":{}}', b"\xff\xfe", b'{"stream":"x","nonsense":1}', b"[" * 5000):
            with self.subTest(body=body[:40]):
                answer = http_client.request("POST", f"{self.orchestrator.url}/sessions", body=body)
                self.assert_status(answer, 400, "BadRequest")
