import { describe, expect, it } from 'vitest'
import { findByHash, hashOf, unwrapped, type Report } from './files'

const bytes = (text: string) => new TextEncoder().encode(text)

describe('files of reports', () => {
  it('have the SHA-256 that other programs compute', () =>
    expect(hashOf(bytes('abc'))).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'))

  it('are taken out of the envelope byte for byte', () => {
    const file = bytes('{"name":"净值","n":1.10}')
    const answer = bytes(`{"success":true,"data":${new TextDecoder().decode(file)},"timestamp":"2026-11-30T00:00:00Z"}`)
    expect(unwrapped(answer, file.length)).toEqual(file)
  })
})

describe('a file that is verified', () => {
  const report = (firstDay: string, version: number, sha256: string): Report => ({
    id: version,
    kind: 'daily',
    firstDay,
    lastDay: firstDay,
    version,
    status: 'FINAL',
    draftReasons: [],
    openingBlock: 1,
    closingBlock: 2,
    replaces: null,
    madeAt: '2026-11-30T00:00:00Z',
    files: [{ format: 'pdf', language: 'en', sha256, size: 3 }],
  })
  async function* listed() {
    await Promise.resolve()
    yield* [report('2026-11-30', 1, 'aa'), report('2026-11-29', 2, 'bb'), report('2026-11-29', 1, 'cc')]
  }

  it('is a version of a report', async () => expect(await findByHash('bb', listed())).toMatchObject({ report: { version: 2 }, newest: 2 }))
  it('may be replaced by a later version', async () => expect(await findByHash('cc', listed())).toMatchObject({ report: { version: 1 }, newest: 2 }))
  it('is none when no report has its hash', async () => expect(await findByHash('dd', listed())).toBeNull())
})
