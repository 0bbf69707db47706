/** The transactions inside a Safe's MultiSend, decoded here from its bytes: what they do is not left to a description. */
import { decodeFunctionData, getAddress, parseAbi, slice, type Address, type Hex } from 'viem'

const MULTI_SEND = parseAbi(['function multiSend(bytes transactions)'])
const DELEGATECALL = 1

export interface InnerCall {
  operation: 'CALL' | 'DELEGATECALL'
  to: Address
  value: bigint
  data: Hex
}

/** Return the inner transactions; null where the data is no MultiSend. Throws RangeError where it is one that cannot be read. */
export function decodeMultiSend(data: Hex): InnerCall[] | null {
  let packed: Hex
  try {
    packed = decodeFunctionData({ abi: MULTI_SEND, data }).args[0]
  } catch {
    return null
  }
  const calls: InnerCall[] = []
  const size = (packed.length - 2) / 2
  for (let at = 0; at < size; ) {
    if (at + 85 > size) throw new RangeError('the MultiSend ends within a transaction')
    const length = byteLength(slice(packed, at + 53, at + 85))
    const end = at + 85 + length
    if (end > size) throw new RangeError('the MultiSend ends within a transaction')
    calls.push({
      operation: byteLength(slice(packed, at, at + 1)) === DELEGATECALL ? 'DELEGATECALL' : 'CALL',
      to: getAddress(slice(packed, at + 1, at + 21)),
      value: BigInt(slice(packed, at + 21, at + 53)),
      data: length === 0 ? '0x' : slice(packed, at + 85, end),
    })
    at = end
  }
  return calls
}

/** Whether a DELEGATECALL stands anywhere below the outer transaction: it could do anything with the Safe. */
export function hasInnerDelegateCall(data: Hex): boolean {
  const calls = decodeMultiSend(data)
  return calls !== null && calls.some((call) => call.operation === 'DELEGATECALL' || hasInnerDelegateCall(call.data))
}

function byteLength(word: Hex): number {
  const value = BigInt(word)
  if (value > 1_000_000n) throw new RangeError('the MultiSend ends within a transaction')
  // eslint-disable-next-line no-restricted-syntax -- a count of bytes, not an amount
  return Number(value)
}
