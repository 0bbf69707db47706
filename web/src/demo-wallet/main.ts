/**
 * The demo's wallet: stands in for a browser extension. An EIP-6963 provider that signs as the demo's people.
 *
 * It is an entry of its own, with the keys of the demo's accounts, and the API serves both on the demo's chain only.
 */
import icon from './icon.svg'
import { DemoProvider } from './provider'

const detail = Object.freeze({
  info: Object.freeze({
    uuid: '0b7b1c5e-5d0a-4f3c-9f53-7a2f6a3f3d11',
    name: 'Demo wallet',
    rdns: 'io.paimon.demo',
    icon: await asDataUri(icon),
  }),
  provider: new DemoProvider(),
})

function announce(): void {
  window.dispatchEvent(new CustomEvent('eip6963:announceProvider', { detail }))
}

window.addEventListener('eip6963:requestProvider', announce)
announce()

/** Wallets announce their picture as a data URI. */
async function asDataUri(url: string): Promise<string> {
  const text = await (await fetch(url)).text()
  return `data:image/svg+xml;base64,${btoa(text)}`
}
