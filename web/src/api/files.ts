/** Files that the API returns, and files that the page makes. */
import { authorizedFetch } from '../session/tokens'
import { ApiProblem } from './client'

export interface ApiFile {
  bytes: Uint8Array<ArrayBuffer>
  /** The name that the API gives it; null if it gives none. */
  name: string | null
  type: string
}

/** Fetch a file. A plain link could not carry the access token. Parameters without a value are left out. Throws ApiProblem. */
export async function fetchFile(path: string, query: Record<string, string | number | undefined>): Promise<ApiFile> {
  const url = new URL(path, window.location.href)
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== '') url.searchParams.set(name, `${value}`)
  }
  const response = await authorizedFetch(new Request(url)).catch(() => {
    throw new ApiProblem('UNREACHABLE', 'the API cannot be reached')
  })
  if (!response.ok) throw new ApiProblem('UNREADABLE', `the file cannot be downloaded: the API answered ${response.status}`, response.status)
  const name = /filename="([^"]+)"/.exec(response.headers.get('Content-Disposition') ?? '')?.[1] ?? null
  return { bytes: new Uint8Array(await response.arrayBuffer()), name, type: response.headers.get('Content-Type') ?? '' }
}

/** Give a file to the browser's downloads. */
export function saveFile(content: Uint8Array<ArrayBuffer> | string, name: string, type = 'application/octet-stream'): void {
  const link = document.createElement('a')
  link.href = URL.createObjectURL(new Blob([content], { type }))
  link.download = name
  link.click()
  URL.revokeObjectURL(link.href)
}
