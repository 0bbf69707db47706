/** The files of reports. Each is compared with the hash that was recorded when it was made, and only then saved. */
import { sha256 } from 'viem'
import { api, ApiProblem, read, type Schemas } from '../api/client'
import { fetchFile, saveFile } from '../api/files'

export type Report = Schemas['ReportView']
export type ReportFile = Schemas['ReportFileView']

const ENVELOPE_HEAD = '{"success":true,"data":'
const REPORTS_A_PAGE = 100

/** Return the hash of a file's bytes as the audit trail has it: 64 hexadecimal digits. */
export function hashOf(bytes: Uint8Array): string {
  return sha256(bytes).slice(2)
}

/** Take a report's JSON file out of the API's envelope, which has it byte for byte. */
export function unwrapped<Buffer extends ArrayBufferLike>(answer: Uint8Array<Buffer>, size: number): Uint8Array<Buffer> {
  return answer.subarray(ENVELOPE_HEAD.length, ENVELOPE_HEAD.length + size)
}

/** Download one file. Throws ApiProblem, also where the bytes are not those that were recorded. */
export async function downloadFile({ kind, firstDay, version }: Report, { format, language, sha256: recorded, size }: ReportFile): Promise<void> {
  const { bytes: answer } = await fetchFile(`/api/v1/reports/${kind}`, { date: firstDay, version, format, language: language ?? undefined })
  const bytes = format === 'json' ? unwrapped(answer, size) : answer
  if (hashOf(bytes) !== recorded) throw new ApiProblem('UNREADABLE', `the file is not the one with the hash ${recorded}`)
  saveFile(bytes, `paimon-${kind}-${firstDay}-v${version}${language === null ? '' : `.${language}`}.${format}`)
}

/** What a file turned out to be. `newest` is the newest version of the same report. */
export interface Found {
  report: Report
  file: ReportFile
  newest: number
}

/** Find the report that has a file with this hash; null if none has. */
export async function findByHash(hash: string, reports: AsyncIterable<Report> = everyReport()): Promise<Found | null> {
  const newest = new Map<string, number>()
  for await (const report of reports) {
    const period = `${report.kind} ${report.firstDay}`
    newest.set(period, Math.max(newest.get(period) ?? 0, report.version))
    const file = report.files.find((one) => one.sha256 === hash)
    if (file !== undefined) return { report, file, newest: newest.get(period) ?? report.version }
  }
  return null
}

/** Find one version of a report in the list, which has its files; the newest without a version, and null if there is none. */
export async function findReport(kind: Schemas['ReportKind'], day: string, version: number | undefined): Promise<Report | null> {
  for await (const report of everyReport(kind)) {
    const isOfDay = report.firstDay <= day && day <= report.lastDay
    if (isOfDay && (version === undefined || report.version === version)) return report
  }
  return null
}

/** Every version of every report, latest first. */
async function* everyReport(kind?: Schemas['ReportKind']): AsyncGenerator<Report> {
  for (let page = 1, pages = 1; page <= pages; page += 1) {
    const query = { page, pageSize: REPORTS_A_PAGE, ...(kind === undefined ? {} : { kind }) }
    const { items, pagination } = await read(api.GET('/api/v1/reports', { params: { query } }))
    yield* items
    pages = pagination.totalPages ?? 1
  }
}
