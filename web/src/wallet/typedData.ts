/** EIP-712 documents: their hashes, computed here and never taken from the API. */
import { domainSeparator, hashStruct, hashTypedData, type Hex, type TypedDataDomain } from 'viem'

export interface TypedDocument {
  types: Record<string, readonly { name: string; type: string }[]>
  primaryType: string
  domain: TypedDataDomain
  message: Record<string, unknown>
}

export interface Hashes {
  domain: Hex
  message: Hex
  document: Hex
}

/** Return the document if it has the shape of EIP-712 typed data. Throws RangeError. */
export function asTypedDocument(value: unknown): TypedDocument {
  const document = value as Partial<TypedDocument> | null
  const { types, primaryType, domain, message } = document ?? {}
  if (!types || !primaryType || !domain || !message || !(primaryType in types)) throw new RangeError('not an EIP-712 document')
  return { types, primaryType, domain, message }
}

export function chainIdOf(document: TypedDocument): number | null {
  const id = document.domain.chainId
  return id === undefined ? null : typeof id === 'number' ? id : parseChainId(id)
}

function parseChainId(id: bigint | string): number {
  // eslint-disable-next-line no-restricted-syntax -- the id of a chain, not an amount
  return Number(id)
}

export function withMessage(document: TypedDocument, fields: Record<string, unknown>): TypedDocument {
  return { ...document, message: { ...document.message, ...fields } }
}

/** What a hardware wallet shows: the hash of the domain and of the message, and the hash that is signed. */
export function hashesOf(document: TypedDocument): Hashes {
  const { types, primaryType, message, domain } = document
  return {
    domain: domainSeparator({ domain }),
    message: hashStruct({ data: message, primaryType, types }),
    document: hashTypedData(document as Parameters<typeof hashTypedData>[0]),
  }
}
