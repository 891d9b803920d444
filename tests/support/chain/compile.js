// Prints {contract: {bytecode, selectors: {signature: hex}}} of the Solidity file named first; solc is found
// under the directory named second.
const fs = require("fs");
const path = require("path");
const solc = require(path.join(process.argv[3], "node_modules", "solc"));

const input = {
  language: "Solidity",
  sources: { main: { content: fs.readFileSync(process.argv[2], "utf8") } },
  settings: { evmVersion: "paris", outputSelection: { "*": { "*": ["evm.bytecode.object", "evm.methodIdentifiers"] } } },
};
const output = JSON.parse(solc.compile(JSON.stringify(input)));
const errors = (output.errors || []).filter((e) => e.severity === "error");
if (errors.length) {
  console.error(errors.map((e) => e.formattedMessage).join("\n"));
  process.exit(1);
}
const contracts = {};
for (const [name, made] of Object.entries(output.contracts.main))
  contracts[name] = { bytecode: made.evm.bytecode.object, selectors: made.evm.methodIdentifiers };
console.log(JSON.stringify(contracts));
