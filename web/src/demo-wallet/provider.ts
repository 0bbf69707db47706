import { numberToHex, hexToString, isHex, type Hex } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { choose, chosenName, loadAccounts, type DemoAccount } from './accounts'
import { askToSign, pickAccount } from './windows'

type Listener = (...values: unknown[]) => void

/** An error of EIP-1193. */
class ProviderError extends Error {
  constructor(
    readonly code: number,
    message: string,
  ) {
    super(message)
  }
}

const REFUSED = 4001
const UNAUTHORIZED = 4100
const UNSUPPORTED = 4200
const UNKNOWN_CHAIN = 4902

/** An EIP-1193 provider over the demo's accounts. One account is connected at a time. */
export class DemoProvider {
  private readonly listeners = new Map<string, Set<Listener>>()

  on(event: string, listener: Listener): this {
    this.listeners.set(event, (this.listeners.get(event) ?? new Set()).add(listener))
    return this
  }

  removeListener(event: string, listener: Listener): this {
    this.listeners.get(event)?.delete(listener)
    return this
  }

  async request({ method, params = [] }: { method: string; params?: readonly unknown[] }): Promise<unknown> {
    switch (method) {
      case 'eth_chainId':
        return numberToHex((await loadAccounts()).chainId)
      case 'net_version':
        return `${(await loadAccounts()).chainId}`
      case 'eth_accounts':
        return (await this.connected()).map(({ address }) => address)
      case 'eth_requestAccounts':
      case 'wallet_requestPermissions':
        return this.connect(method)
      case 'wallet_revokePermissions':
        return this.disconnect()
      case 'wallet_switchEthereumChain':
        return this.switchChain(params[0] as { chainId: Hex })
      case 'personal_sign':
        return this.signMessage(params[0] as string, params[1] as string)
      case 'eth_signTypedData_v4':
        return this.signTypedData(params[0] as string, params[1] as string)
      default:
        throw new ProviderError(UNSUPPORTED, `the demo wallet has no ${method}`)
    }
  }

  private emit(event: string, ...values: unknown[]): void {
    this.listeners.get(event)?.forEach((listener) => listener(...values))
  }

  private async connected(): Promise<DemoAccount[]> {
    const { accounts } = await loadAccounts()
    return accounts.filter(({ name }) => name === chosenName())
  }

  private async connect(method: string): Promise<unknown> {
    const { accounts } = await loadAccounts()
    const picked = await pickAccount(accounts)
    if (picked === null) throw new ProviderError(REFUSED, 'no account was chosen')
    choose(picked.name)
    this.emit('accountsChanged', [picked.address])
    const accountsOf = { type: 'restrictReturnedAccounts', value: [picked.address] }
    return method === 'eth_requestAccounts' ? [picked.address] : [{ parentCapability: 'eth_accounts', caveats: [accountsOf] }]
  }

  private disconnect(): null {
    choose(null)
    this.emit('accountsChanged', [])
    return null
  }

  private async switchChain({ chainId }: { chainId: Hex }): Promise<null> {
    const own = numberToHex((await loadAccounts()).chainId)
    if (chainId !== own) throw new ProviderError(UNKNOWN_CHAIN, `the demo wallet knows chain ${own} only`)
    return null
  }

  private async signer(address: string): Promise<DemoAccount> {
    const found = (await this.connected()).find((account) => account.address.toLowerCase() === address.toLowerCase())
    if (found === undefined) throw new ProviderError(UNAUTHORIZED, `${address} is not connected`)
    return found
  }

  private async signMessage(message: string, address: string): Promise<Hex> {
    const account = await this.signer(address)
    const text = isHex(message) ? hexToString(message) : message
    await this.confirm(account, text)
    return privateKeyToAccount(account.key).signMessage({ message: isHex(message) ? { raw: message } : message })
  }

  private async signTypedData(address: string, document: string): Promise<Hex> {
    const account = await this.signer(address)
    const typed = JSON.parse(document) as Parameters<ReturnType<typeof privateKeyToAccount>['signTypedData']>[0]
    await this.confirm(account, JSON.stringify({ domain: typed.domain, [String(typed.primaryType)]: typed.message }, null, 2))
    return privateKeyToAccount(account.key).signTypedData(typed)
  }

  private async confirm(account: DemoAccount, text: string): Promise<void> {
    if (!(await askToSign(account, text))) throw new ProviderError(REFUSED, 'the signature was refused')
  }
}
