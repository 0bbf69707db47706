/** The wallet's own windows. They look like no part of the console, as an extension's do not either. */
import type { DemoAccount } from './accounts'
import './windows.css'

function element<Name extends keyof HTMLElementTagNameMap>(name: Name, text = '', className = ''): HTMLElementTagNameMap[Name] {
  const made = document.createElement(name)
  made.textContent = text
  made.className = className
  return made
}

/** Show a window and return what was chosen in it; null when it was closed. */
function show<Choice>(title: string, fill: (choose: (choice: Choice | null) => void) => HTMLElement[]): Promise<Choice | null> {
  return new Promise((resolve) => {
    const dialog = element('dialog', '', 'demo-wallet')
    let chosen: Choice | null = null
    const parts = fill((choice) => {
      chosen = choice
      dialog.close()
    })
    const head = element('h2', title)
    head.id = 'demo-wallet-title'
    dialog.setAttribute('aria-labelledby', head.id)
    dialog.append(head, ...parts)
    dialog.addEventListener('close', () => {
      dialog.remove()
      resolve(chosen)
    })
    document.body.append(dialog)
    dialog.showModal()
  })
}

function button(text: string, onClick: () => void): HTMLButtonElement {
  const made = element('button', text)
  made.type = 'button'
  made.addEventListener('click', onClick)
  return made
}

export function pickAccount(accounts: readonly DemoAccount[]): Promise<DemoAccount | null> {
  return show<DemoAccount>('Demo wallet: who are you?', (choose) => [
    element('p', 'These wallets exist in this demo only.'),
    ...accounts.map((account) => {
      const row = button(`${account.name} (${account.role})`, () => choose(account))
      row.append(element('code', account.address))
      return row
    }),
    button('Cancel', () => choose(null)),
  ])
}

export async function askToSign(account: DemoAccount, text: string): Promise<boolean> {
  const answer = await show<boolean>(`Demo wallet: sign as ${account.name}?`, (choose) => [
    element('pre', text),
    button('Sign', () => choose(true)),
    button('Refuse', () => choose(false)),
  ])
  return answer === true
}
