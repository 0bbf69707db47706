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
  const link = document.createElement('a')
  link.href = URL.createObjectURL(await response.blob())
  link.download = /filename="([^"]+)"/.exec(response.headers.get('Content-Disposition') ?? '')?.[1] ?? 'paimon.csv'
  link.click()
  URL.revokeObjectURL(link.href)
}
