"""An Ethereum wallet that is not ours: ethers signs. Needs node and npm; `unavailable()` says why that is not possible here."""

import functools
import json
import pathlib
import subprocess

from support import npm

HERE = pathlib.Path(__file__).parent
NAME = "wallet"


@functools.cache
def unavailable():
    return npm.install(NAME, HERE / "package.json", [npm.place(NAME) / "node_modules" / "ethers"])


class Wallet:
    def __init__(self, key):
        """`key`: a number, 1 .. the curve's order."""
        self.key = f"0x{key:064x}"
        self.address = self.sign("")["address"]
        self.account = self.address.lower()

    def sign(self, text):
        """{address, signature, mirror}, see sign.js."""
        done = subprocess.run(["node", HERE / "sign.js", npm.place(NAME)], input=json.dumps({"key": self.key, "text": text}),
                              capture_output=True, text=True, timeout=30, check=True)
        return json.loads(done.stdout)
