import { fetchFile, saveFile } from './files'

/** Download a list as a file. Throws ApiProblem. */
export async function downloadCsv(path: string, query: Record<string, string | number | undefined>): Promise<void> {
  const { bytes, name, type } = await fetchFile(path, { ...query, format: 'csv' })
  saveFile(bytes, name ?? 'paimon.csv', type)
}

export type Cell = string | number | boolean | null

/** Save rows that the page already has, where the API has no file of them. The first row names the columns. */
export function saveCsv(name: string, rows: readonly (readonly Cell[])[]): void {
  saveFile(csvText(rows), name, 'text/csv;charset=utf-8')
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
