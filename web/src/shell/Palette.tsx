/** The command palette: every page, thing and preference by keyboard. Ctrl+K or ⌘K opens it. */
import { Button, TextInput, useMantineColorScheme } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { useEffect, useId, useState, type KeyboardEvent } from 'react'
import { assetsQuery } from '../api/queries'
import { shortHex } from '../format/addresses'
import { useI18n } from '../i18n'
import { signOut } from '../session/tokens'
import { Dialog, Empty } from '../ui/layout'
import { commandsFor, type Command } from './commands'
import css from './palette.module.css'
import { SECTIONS } from './sections'
import { useZone } from './zone'

export function Palette() {
  const { t } = useI18n()
  const [isOpen, setOpen] = useState(false)
  useEffect(() => {
    const open = (event: globalThis.KeyboardEvent) => {
      if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === 'k') {
        event.preventDefault()
        setOpen((before) => !before)
      }
    }
    window.addEventListener('keydown', open)
    return () => window.removeEventListener('keydown', open)
  }, [])
  return (
    <>
      <Button size="xs" variant="default" onClick={() => setOpen(true)} aria-keyshortcuts="Control+K Meta+K">
        {t('palette.open')}
      </Button>
      <Dialog opened={isOpen} onClose={() => setOpen(false)} title={t('palette.title')}>
        {isOpen ? <Commands onDone={() => setOpen(false)} /> : null}
      </Dialog>
    </>
  )
}

function Commands({ onDone }: { onDone: () => void }) {
  const { t } = useI18n()
  const list = useId()
  const [text, setText] = useState('')
  const [chosen, setChosen] = useState(0)
  const commands = commandsFor(text, useAllCommands(), t)
  const current = Math.min(chosen, commands.length - 1)
  const run = (command: Command | undefined) => {
    if (command === undefined) return
    onDone()
    command.run()
  }
  const choose = (event: KeyboardEvent) => {
    if (event.key === 'Enter') run(commands[current])
    else if (event.key === 'ArrowDown') setChosen(Math.min(current + 1, commands.length - 1))
    else if (event.key === 'ArrowUp') setChosen(Math.max(current - 1, 0))
    else return
    event.preventDefault()
  }
  return (
    <>
      <TextInput
        data-autofocus
        label={t('palette.label')}
        value={text}
        role="combobox"
        aria-expanded
        aria-controls={list}
        aria-activedescendant={commands.length === 0 ? undefined : `${list}${current}`}
        onKeyDown={choose}
        onChange={(event) => {
          setText(event.currentTarget.value)
          setChosen(0)
        }}
      />
      {commands.length === 0 ? (
        <Empty>{t('palette.none')}</Empty>
      ) : (
        <ul id={list} role="listbox" aria-label={t('palette.title')} className={css.list}>
          {commands.map((command, index) => (
            <li
              key={command.label}
              id={`${list}${index}`}
              role="option"
              aria-selected={index === current}
              className={css.command}
              ref={(row) => void (index === current && row?.scrollIntoView({ block: 'nearest' }))}
              onClick={() => run(command)}
            >
              {command.label}
            </li>
          ))}
        </ul>
      )}
    </>
  )
}

/** What the palette offers without a number or address in its text, and how it opens things. */
function useAllCommands() {
  const { t, choose } = useI18n()
  const { choose: chooseZone } = useZone()
  const { setColorScheme } = useMantineColorScheme({ keepTransitions: true })
  const navigate = useNavigate()
  const assets = useQuery(assetsQuery)
  const named: Command[] = [
    ...SECTIONS.map(({ name, to }) => ({ label: t(`section.${name}`), run: () => void navigate({ to }) })),
    ...(assets.data?.items ?? []).map(({ token, symbol }) => ({
      label: t('palette.asset', { symbol: symbol ?? shortHex(token) }),
      run: () => void navigate({ to: '/assets/$token', params: { token } }),
    })),
    { label: t('palette.light'), run: () => setColorScheme('light') },
    { label: t('palette.dark'), run: () => setColorScheme('dark') },
    { label: t('palette.utc'), run: () => chooseZone('UTC') },
    { label: t('palette.localZone'), run: () => chooseZone('local') },
    { label: 'English', run: () => choose('en') },
    { label: '中文', run: () => choose('zh') },
    { label: t('session.signOut'), run: () => void signOut() },
  ]
  return {
    named,
    openRedemption: (requestId: string) => void navigate({ to: '/redemptions/$requestId', params: { requestId } }),
    openTicket: (ticketId: string) => void navigate({ to: '/approvals/$ticketId', params: { ticketId } }),
    openRedemptionsOf: (owner: string) => void navigate({ to: '/redemptions', search: { owner } }),
    openProposal: (safeTxHash: string) => void navigate({ to: '/transactions/proposals/$safeTxHash', params: { safeTxHash } }),
  }
}
