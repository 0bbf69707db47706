/** Whether a person closed or refused the wallet's question (EIP-1193, code 4001), which is no fault. */
export function isRefusal(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if ((cause as { code?: unknown }).code === 4001 || cause.name === 'UserRejectedRequestError') return true
  }
  return false
}
