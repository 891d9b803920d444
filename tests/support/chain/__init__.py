"""A local EVM node with contracts that keep Livepeer's signatures.

Needs node and npm; the node binary and the compiler are installed once into the test cache. `unavailable()` says why
that is not possible here, so that a test can skip loudly.
"""

import functools
import json
import os
import pathlib
import socket
import subprocess
import urllib.request

from support import npm
from support.npm import INSTALL_S
from support.processes import Process
from support.wait import eventually

HERE = pathlib.Path(__file__).parent
CHAIN = 1337
LPT = 10**18
START_S = 20


def _place():
    return npm.place("chain")


@functools.cache
def unavailable():
    """Installs what is missing; the reason why that does not work, or nothing."""
    return npm.install("chain", HERE / "package.json", [_anvil(), _place() / "node_modules" / "solc"])


def _anvil():
    return _place() / "node_modules" / "@foundry-rs" / f"anvil-linux-{'arm64' if os.uname().machine == 'aarch64' else 'amd64'}" / "bin" / "anvil"


@functools.cache
def _contracts():
    done = subprocess.run(["node", HERE / "compile.js", HERE / "Livepeer.sol", _place()], capture_output=True, text=True, timeout=INSTALL_S)
    if done.returncode != 0:
        raise AssertionError(f"the test contracts do not compile:\n{done.stderr}")
    return json.loads(done.stdout)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def word(value):
    """One ABI word: a number, or an address."""
    return (value[2:].lower() if isinstance(value, str) else f"{value:x}").rjust(64, "0")


class Node:
    """An EVM node on loopback; state is in its memory."""

    def __init__(self, directory, name="node", chain=CHAIN):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.directory, self.name, self.chain = directory, name, chain
        self.start()
        self.account = self.ask("eth_accounts")[0]

    def start(self):
        self.process = Process([_anvil(), "--host", "127.0.0.1", "--port", self.port, "--chain-id", self.chain, "--silent"],
                               self.directory / f"{self.name}.log")
        eventually(self._answers, START_S, "the EVM node answers")

    def _answers(self):
        try:
            return self.ask("eth_chainId")
        except OSError:
            return None

    def stop(self):
        self.process.destroy()

    def ask(self, method, *parameters):
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters}).encode()
        request = urllib.request.Request(self.url, body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            told = json.load(answer)
        if "error" in told:
            raise AssertionError(f"{method}: {told['error']}")
        return told["result"]

    def transact(self, **transaction):
        done = self.ask("eth_sendTransaction", {"from": self.account, "gas": hex(5_000_000), **transaction})
        receipt = eventually(lambda: self.ask("eth_getTransactionReceipt", done), START_S, "a receipt")
        assert receipt["status"] == "0x1", receipt
        return receipt

    def deploy(self, contract, *arguments):
        data = "0x" + _contracts()[contract]["bytecode"] + "".join(map(word, arguments))
        return Contract(self, contract, self.transact(data=data)["contractAddress"])


class Contract:
    def __init__(self, node, name, address):
        self.node, self.name, self.address = node, name, address

    def send(self, signature, *arguments):
        self.node.transact(to=self.address, data=self._data(signature, "".join(map(word, arguments))))

    def set_contract(self, name, address):
        """Controller.setContract(string,address): the one function with a dynamic argument."""
        text = name.encode().hex().ljust(64, "0")
        self.node.transact(to=self.address, data=self._data("setContract(string,address)", word(64) + word(address) + word(len(name)) + text))

    def _data(self, signature, arguments):
        return "0x" + _contracts()[self.name]["selectors"][signature] + arguments


class Livepeer:
    """Controller, RoundsManager and BondingManager on a node; the node's first account is the orchestrator's."""

    def __init__(self, node):
        self.node = node
        self.rounds = node.deploy("RoundsManager")
        self.bonding = node.deploy("BondingManager", self.rounds.address)
        self.controller = node.deploy("Controller")
        self.controller.set_contract("RoundsManager", self.rounds.address)
        self.controller.set_contract("BondingManager", self.bonding.address)

    def bond(self, lpt):
        self.bonding.send("bond(uint256,address)", int(lpt * LPT), self.node.account)

    def unbond(self, lpt):
        self.bonding.send("unbond(uint256)", int(lpt * LPT))

    def leave(self):
        self.bonding.send("leaveActiveSet()")

    def new_round(self):
        self.rounds.send("initializeRound()")
