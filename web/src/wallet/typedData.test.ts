import { hashTypedData } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { verifyTypedData } from 'viem/utils'
import { describe, expect, it } from 'vitest'
import { asTypedDocument, chainIdOf, hashesOf, withMessage } from './typedData'

const EIP712_DOMAIN = [
  { name: 'name', type: 'string' },
  { name: 'version', type: 'string' },
  { name: 'chainId', type: 'uint256' },
  { name: 'verifyingContract', type: 'address' },
]

/** The example of EIP-712, whose hashes the standard publishes. */
const MAIL = {
  types: {
    EIP712Domain: EIP712_DOMAIN,
    Person: [
      { name: 'name', type: 'string' },
      { name: 'wallet', type: 'address' },
    ],
    Mail: [
      { name: 'from', type: 'Person' },
      { name: 'to', type: 'Person' },
      { name: 'contents', type: 'string' },
    ],
  },
  primaryType: 'Mail',
  domain: { name: 'Ether Mail', version: '1', chainId: 1, verifyingContract: '0xCcCCccccCCCCcCCCCCCcCcCccCcCCCcCcccccccC' },
  message: {
    from: { name: 'Cow', wallet: '0xCD2a3d9F938E13CD947Ec05AbC7FE734Df8DD826' },
    to: { name: 'Bob', wallet: '0xbBbBBBBbbBBBbbbBbbBbbbbBBbBbbbbBbBbbBBbB' },
    contents: 'Hello, Bob!',
  },
}

describe('EIP-712 documents', () => {
  it('has the hashes that the standard publishes', () => {
    const hashes = hashesOf(asTypedDocument(MAIL))
    expect(hashes.domain).toBe('0xf2cee375fa42b42143804025fc449deafd50cc031ca257e0b194a650a912090f')
    expect(hashes.message).toBe('0xc52c0ee5d84264471806290a3f2c4cecfc5490626bf912d01f240d7a274b371e')
    expect(hashes.document).toBe('0xbe609aee343fb3c4b28e1df9e632fca64fcfaede20f02e86244efddf30957bd2')
  })

  it('hashes what is signed after the reason was changed', async () => {
    const account = privateKeyToAccount('0xc85ef7d79691fe79573b1a7064c19c1a9819ebdbd1faaab1a8ec92344438aaf4')
    const changed = withMessage(asTypedDocument(MAIL), { contents: 'another text' })
    const typed = changed as unknown as Parameters<typeof account.signTypedData>[0]
    const signature = await account.signTypedData(typed)
    expect(await verifyTypedData({ ...typed, address: account.address, signature })).toBe(true)
    expect(hashesOf(changed).document).toBe(hashTypedData(typed))
    expect(hashesOf(changed).document).not.toBe(hashesOf(asTypedDocument(MAIL)).document)
  })

  it('reads the chain as a number', () => {
    expect(chainIdOf(asTypedDocument(MAIL))).toBe(1)
    expect(chainIdOf(asTypedDocument({ ...MAIL, domain: { chainId: '56' } }))).toBe(56)
    expect(chainIdOf(asTypedDocument({ ...MAIL, domain: {} }))).toBeNull()
  })

  it.each([null, {}, { ...MAIL, primaryType: 'Letter' }, { ...MAIL, domain: undefined }])('refuses %j', (value) =>
    expect(() => asTypedDocument(value)).toThrow(RangeError),
  )
})
