// Compiles the test fund and writes what others read:
//   artifacts/<Name>.json                                    {contractName, abi, bytecode}, committed, so that deploying needs no compiler
//   ../src/paimon/infrastructure/blockchain/abi/<Name>.json  the ABIs the product decodes and calls with
//
// `--check` compiles again and fails if a committed file differs. No metadata hash goes into the bytecode, so the same source
// gives the same bytes on every machine.
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import solc from "solc";

const HERE = dirname(fileURLToPath(import.meta.url));
const ARTIFACTS = join(HERE, "artifacts");
const PRODUCT_ABIS = join(HERE, "../src/paimon/infrastructure/blockchain/abi");

const DEPLOYABLE = {
  "src/Vault.sol": "Vault",
  "src/RedemptionManager.sol": "RedemptionManager",
  "src/AssetController.sol": "AssetController",
  "src/AssetScheduler.sol": "AssetScheduler",
  "src/OTCManager.sol": "OTCManager",
  "src/OracleAdapter.sol": "OracleAdapter",
  "src/SwapHelper.sol": "SwapHelper",
  "src/testing/TestToken.sol": "TestToken",
  "src/testing/PurchaseAdapter.sol": "PurchaseAdapter",
  "src/testing/Counterparty.sol": "Counterparty",
  "src/testing/Scatter.sol": "Scatter",
  "src/testing/PriceFeed.sol": "PriceFeed",
};
const ERC20 = "@openzeppelin/contracts/token/ERC20/ERC20.sol";
const PRODUCT_CONTRACTS = [
  "Vault", "RedemptionManager", "AssetController", "OTCManager", "AssetScheduler", "OracleAdapter", "SwapHelper", "ERC20",
];
const SIZE_MAX_BYTES = 24_576; // EIP-170

// forge uses the same, see foundry.toml.
const SETTINGS = {
  optimizer: { enabled: true, runs: 200 },
  viaIR: true,
  evmVersion: "cancun",
  metadata: { bytecodeHash: "none" },
  outputSelection: { "*": { "*": ["abi", "evm.bytecode.object", "evm.deployedBytecode.object"] } },
};

function read(path) {
  return readFileSync(join(HERE, path.startsWith("@") ? join("node_modules", path) : path), "utf8");
}

function compile() {
  const sources = Object.fromEntries([...Object.keys(DEPLOYABLE), ERC20].map((path) => [path, { content: read(path) }]));
  const input = JSON.stringify({ language: "Solidity", sources, settings: SETTINGS });
  const output = JSON.parse(solc.compile(input, { import: (path) => ({ contents: read(path) }) }));
  for (const problem of output.errors ?? []) console.error(problem.formattedMessage);
  if (output.errors?.length) throw new Error("the compiler has complaints; warnings count");
  return output.contracts;
}

function render(value) {
  return JSON.stringify(value, null, 2) + "\n";
}

/** Every file this program owns, with its content. */
function build() {
  const compiled = compile();
  const abis = { ERC20: compiled[ERC20].ERC20.abi };
  const files = new Map();
  for (const [path, contractName] of Object.entries(DEPLOYABLE)) {
    const { abi, evm } = compiled[path][contractName];
    const size = evm.deployedBytecode.object.length / 2;
    if (size > SIZE_MAX_BYTES) throw new Error(`${contractName} has ${size} bytes, the limit is ${SIZE_MAX_BYTES}`);
    console.log(`${contractName.padEnd(18)} ${size} bytes`);
    abis[contractName] = abi;
    files.set(join(ARTIFACTS, `${contractName}.json`), render({ contractName, abi, bytecode: `0x${evm.bytecode.object}` }));
  }
  for (const name of PRODUCT_CONTRACTS) files.set(join(PRODUCT_ABIS, `${name}.json`), render(abis[name]));
  return files;
}

function write(files) {
  mkdirSync(ARTIFACTS, { recursive: true });
  mkdirSync(PRODUCT_ABIS, { recursive: true });
  for (const [path, content] of files) writeFileSync(path, content);
}

/** Files that differ, are missing, or that no contract accounts for. */
function differences(files) {
  const isCurrent = (path) => {
    try {
      return readFileSync(path, "utf8") === files.get(path);
    } catch (error) {
      if (error.code === "ENOENT") return false;
      throw error;
    }
  };
  const strays = readdirSync(ARTIFACTS).map((name) => join(ARTIFACTS, name)).filter((path) => !files.has(path));
  return [...files.keys()].filter((path) => !isCurrent(path)).concat(strays);
}

const files = build();
if (process.argv.includes("--check")) {
  const stale = differences(files);
  for (const path of stale) console.error(`out of date: ${relative(HERE, path)}`);
  if (stale.length) process.exit(1);
  console.log("artifacts are up to date");
} else {
  write(files);
}
