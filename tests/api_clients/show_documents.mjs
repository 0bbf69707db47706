// Show documents as a wallet does that has only the given descriptors, by another implementation of ERC-7730 than ours: none is
// ours. Reads {descriptors, index, token, documents} as JSON from stdin, and prints what each document shows. (The package names
// Node 22 as the oldest it supports; what is called here runs on 20 too.)
import { readFileSync } from 'node:fs'
import { formatTypedData } from '@ethereum-sourcify/clear-signing'

const { descriptors, index, token, documents } = JSON.parse(readFileSync(0, 'utf8'))
const options = {
  descriptorResolverOptions: {
    type: 'custom',
    resolver: { index, fetchDescriptor: async (name) => descriptors[name] },
  },
  externalDataProvider: {
    resolveToken: async (_chain, address) => (address.toLowerCase() === token.address.toLowerCase() ? token : null),
    resolveChainInfo: async () => ({ name: 'BSC', nativeCurrency: { name: 'BNB', symbol: 'BNB', decimals: 18 } }),
  },
}
const account = '0x00000000000000000000000000000000000000A1'
const shown = await Promise.all(documents.map((document) => formatTypedData({ account, ...document }, options)))
console.log(JSON.stringify(shown))
