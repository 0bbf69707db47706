// The vault's Transfers from FROM to TO, by the defaults of Ponder.
import { createConfig } from "ponder";

export default createConfig({
  chains: { local: { id: 31337, rpc: process.env.RPC_URL! } },
  contracts: {
    Vault: {
      abi: [
        {
          type: "event",
          name: "Transfer",
          inputs: [
            { name: "from", type: "address", indexed: true },
            { name: "to", type: "address", indexed: true },
            { name: "value", type: "uint256", indexed: false },
          ],
        },
      ] as const,
      chain: "local",
      address: process.env.VAULT as `0x${string}`,
      startBlock: Number(process.env.FROM),
      endBlock: Number(process.env.TO),
    },
  },
});
