/** The one way to the API: typed by the OpenAPI document, with the envelope taken off and every failure an ApiProblem. */
import createClient from 'openapi-fetch'
import { learnServerTime } from '../format/time'
import { authorizedFetch } from '../session/tokens'
import type { components, paths } from './schema'

export type Schemas = components['schemas']
export type ErrorCode = Schemas['ErrorCode'] | 'UNREACHABLE' | 'UNREADABLE'

/** The API refused a request, or could not be reached. */
export class ApiProblem extends Error {
  constructor(
    readonly code: ErrorCode,
    message: string,
    readonly status: number | null = null,
    readonly requestId: string | null = null,
    readonly details: readonly Schemas['ErrorDetail'][] = [],
  ) {
    super(message)
    this.name = 'ApiProblem'
  }
}

export const api = createClient<paths, 'application/json'>({ fetch: authorizedFetch })

/** Post to a path that the API itself named, below its base. Throws ApiProblem. */
export async function postTo(path: string, body: unknown): Promise<unknown> {
  const headers = { 'Content-Type': 'application/json' }
  const request = new Request(`/api/v1${path}`, { method: 'POST', headers, body: JSON.stringify(body) })
  return read(
    authorizedFetch(request).then(async (response) => {
      const content = (await response.json()) as { data: unknown }
      return response.ok ? { data: content, response } : { error: content, response }
    }),
  )
}

interface Answer<Data> {
  data?: { data: Data; timestamp?: string }
  error?: unknown
  response: Response
}

/** Return the `data` of an answer. Throws ApiProblem. */
export async function read<Data>(request: Promise<Answer<Data>>): Promise<Data> {
  let answer: Answer<Data>
  try {
    answer = await request
  } catch (cause) {
    throw cause instanceof SyntaxError
      ? new ApiProblem('UNREADABLE', 'the answer is not JSON')
      : new ApiProblem('UNREACHABLE', 'the API cannot be reached')
  }
  if (answer.data !== undefined) {
    if (answer.data.timestamp) learnServerTime(answer.data.timestamp, Date.now())
    return answer.data.data
  }
  throw problemOf(answer.error, answer.response)
}

function problemOf(error: unknown, response: Response): ApiProblem {
  const envelope = error as Partial<Schemas['ErrorEnvelope']> | null | undefined
  if (envelope?.error === undefined) {
    return new ApiProblem('UNREADABLE', `the API answered ${response.status} without an explanation`, response.status)
  }
  const { code, message, details } = envelope.error
  return new ApiProblem(code, message, response.status, envelope.requestId ?? null, details ?? [])
}
