import { concatHex, encodeFunctionData, encodePacked, parseAbi, size, type Hex } from 'viem'
import { describe, expect, it } from 'vitest'
import { decodeMultiSend, hasInnerDelegateCall } from './multiSend'

const ABI = parseAbi(['function multiSend(bytes transactions)'])
const TO = '0xDc64a140Aa3E981100a9becA4E685f962f0cF6C9'

const inner = (operation: number, data: Hex, value = 0n) =>
  encodePacked(['uint8', 'address', 'uint256', 'uint256', 'bytes'], [operation, TO, value, BigInt(size(data)), data])
const multiSend = (...calls: Hex[]) => encodeFunctionData({ abi: ABI, args: [concatHex(calls)] })

describe('MultiSend', () => {
  it('shows every inner transaction', () => {
    expect(decodeMultiSend(multiSend(inner(0, '0x1234', 5n), inner(0, '0x')))).toEqual([
      { operation: 'CALL', to: TO, value: 5n, data: '0x1234' },
      { operation: 'CALL', to: TO, value: 0n, data: '0x' },
    ])
  })

  it('finds a DELEGATECALL at any depth', () => {
    expect(hasInnerDelegateCall(multiSend(inner(0, '0x12'), inner(1, '0x')))).toBe(true)
    expect(hasInnerDelegateCall(multiSend(inner(0, multiSend(inner(0, multiSend(inner(1, '0x')))))))).toBe(true)
    expect(hasInnerDelegateCall(multiSend(inner(0, '0x12'), inner(0, multiSend(inner(0, '0x')))))).toBe(false)
  })

  it('is no other call', () => expect(decodeMultiSend('0x38d52e0f')).toBeNull())

  it('refuses bytes that end within a transaction', () => {
    const cut = inner(0, '0x123456').slice(0, -2) as Hex
    expect(() => decodeMultiSend(multiSend(cut))).toThrow(RangeError)
    expect(() => decodeMultiSend(multiSend('0x00'))).toThrow(RangeError)
  })
})
