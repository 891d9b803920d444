"""Signing in with an Ethereum key: challenges signed by a wallet that is not ours, against the real binaries."""

import json
import unittest

from support import http_client, wallet
from support.case import TINY, ClusterCase


@unittest.skipIf(wallet.unavailable(), f"SKIPPED: no wallet to sign with: {wallet.unavailable()}")
class SignIn(ClusterCase):
    @classmethod
    def set_up_cluster(cls, cluster):
        cls.wallet, cls.stranger = wallet.Wallet(7 << 200), wallet.Wallet(8 << 200)
        cls.orchestrator = cluster.orchestrator("--auth", "accounts", "--ladder", json.dumps(TINY))
        cls.transcoder = cluster.transcoder(cls.orchestrator, slots=2)
        made = cls.orchestrator.command("account", "add", cls.wallet.account, "--stream", "mine-*", "--max-sessions", "3")
        assert made.returncode == 0, made

    def post(self, path, document):
        return http_client.request("POST", self.orchestrator.url + path, headers={"Content-Type": "application/json"}, body=json.dumps(document).encode())

    def challenge(self, address):
        answer = self.post("/sign-in/challenge", {"address": address})
        self.assertEqual(answer.status, 200, answer)
        return answer.json()["challenge"]

    def sign_in(self, challenge, signature, address=None):
        return self.post("/sign-in", {"address": address or self.wallet.address, "challenge": challenge, "signature": signature})

    def refused(self, answer, words):
        self.assert_status(answer, 401, "Unauthorized")
        self.assertIn(words, answer.json()["detail"])

    def test_a_wallets_signature_lets_its_account_push_and_no_more(self):
        text = self.challenge(self.wallet.address)
        answer = self.sign_in(text, self.wallet.sign(text)["signature"])
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual(answer.json()["account"], self.wallet.account)
        headers = {"Authorization": f"Bearer {answer.json()['token']}"}
        self.assert_status(self.orchestrator.push("mine-1", "0.ts", self.clips[0], headers=headers), 200)
        self.assertEqual(self.orchestrator.session("mine-1")["account"], self.wallet.account)
        opened = self.orchestrator.open_session("mine-2", TINY, headers=headers)
        self.assertEqual(opened.status, 201, opened)
        self.assert_status(self.orchestrator.push("yours", "0.ts", self.clips[0], headers=headers), 403, "Forbidden")
        for session in (self.orchestrator.session("mine-1")["id"], opened.json()["session_id"]):
            self.assertEqual(self.orchestrator.end_session(session, headers).status, 204)

    def test_a_replayed_malleable_or_foreign_signature_is_refused(self):
        text = self.challenge(self.wallet.address)
        signed = self.wallet.sign(text)
        self.refused(self.sign_in(text, signed["mirror"]), "upper half")
        self.refused(self.sign_in(text, self.stranger.sign(text)["signature"]), "not signed by this address")
        self.assertEqual(self.sign_in(text, signed["signature"]).status, 200)
        self.refused(self.sign_in(text, signed["signature"]), "used already")
        foreign = text.replace(self.orchestrator.url.split("//")[1], "other.example")
        self.refused(self.sign_in(foreign, self.wallet.sign(foreign)["signature"]), "not a challenge of this service")

    def test_a_stranger_is_nobody(self):
        text = self.challenge(self.stranger.address)
        self.refused(self.sign_in(text, self.stranger.sign(text)["signature"], self.stranger.address), "no account")

    def test_an_account_of_an_address_is_written_in_lower_case(self):
        done = self.orchestrator.command("account", "add", self.stranger.address)
        self.assertNotEqual(done.returncode, 0, done)
        self.assertIn("lower case", done.stderr)
