import { authorizedFetch } from '../session/tokens'
import { ApiProblem } from './client'

/** Download a list as a file. A plain link could not carry the access token. */
export async function downloadCsv(path: string, query: Record<string, string | number | undefined>): Promise<void> {
  const url = new URL(path, window.location.href)
  for (const [name, value] of Object.entries({ ...query, format: 'csv' })) {
    if (value !== undefined && value !== '') url.searchParams.set(name, `${value}`)
  }
  const response = await authorizedFetch(new Request(url)).catch(() => {
    throw new ApiProblem('UNREACHABLE', 'the API cannot be reached')
  })
  if (!response.ok) throw new ApiProblem('UNREADABLE', `the file cannot be downloaded: the API answered ${response.status}`, response.status)
  const name = /filename="([^"]+)"/.exec(response.headers.get('Content-Disposition') ?? '')?.[1] ?? 'paimon.csv'
  save(await response.blob(), name)
}

export type Cell = string | number | boolean | null

/** Save rows that the page already has, where the API has no file of them. The first row names the columns. */
export function saveCsv(name: string, rows: readonly (readonly Cell[])[]): void {
  save(new Blob([csvText(rows)], { type: 'text/csv;charset=utf-8' }), name)
}

/** Rows as RFC 4180 has them. A text that a spreadsheet would take for a formula gets an apostrophe, as in the API's own files. */
export function csvText(rows: readonly (readonly Cell[])[]): string {
  return rows.map((row) => row.map(field).join(',') + '\r\n').join('')
}

function field(value: Cell): string {
  const text = `${value ?? ''}`
  const safe = /^['=+\-@\t\r\n＝＋－＠]/.test(text) && !/^-?\d+(\.\d+)?$/.test(text) ? `'${text}` : text
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}

function save(content: Blob, name: string): void {
  const link = document.createElement('a')
  link.href = URL.createObjectURL(content)
  link.download = name
  link.click()
  URL.revokeObjectURL(link.href)
}
