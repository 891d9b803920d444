// node sign.js MODULES: reads {"key", "text"} from stdin, writes {"address", "signature", "mirror"}; `mirror` is the other
// signature of the same text that a verifier without EIP-2 would take.
const { createRequire } = require("module");
const { Signature, Wallet, toBeHex } = createRequire(process.argv[2] + "/")("ethers");

const ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;

async function main() {
  const asked = JSON.parse(require("fs").readFileSync(0, "utf8"));
  const wallet = new Wallet(asked.key);
  const signature = await wallet.signMessage(asked.text);
  const { r, s, v } = Signature.from(signature);
  const mirror = r + toBeHex(ORDER - BigInt(s), 32).slice(2) + (v === 27 ? "1c" : "1b");
  console.log(JSON.stringify({ address: wallet.address, signature, mirror }));
}

main();
