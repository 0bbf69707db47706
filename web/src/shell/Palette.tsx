/**
 * The command palette: every page, thing and preference by keyboard. Ctrl+K or ⌘K opens it.
 *
 * It is the browser's own dialog, which opens and takes the focus within the key's event, so that what is typed next reaches the
 * field. Mantine's dialog takes the focus later, and on a slow machine the first keys after Ctrl+K were lost.
 */
import { Button, CloseButton, Loader, TextInput, useMantineColorScheme } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { useEffect, useId, useLayoutEffect, useRef, useState, type KeyboardEvent, type RefObject } from 'react'
import { assetsQuery } from '../api/queries'
import { shortHex } from '../format/addresses'
import { useI18n } from '../i18n'
import { signOut } from '../session/tokens'
import { Empty } from '../ui/layout'
import { commandsFor, type Command, type Targets } from './commands'
import css from './palette.module.css'
import { SECTIONS } from './sections'
import { useZone } from './zone'

/** Escape closes the palette, and not a dialog of Mantine's below it. */
const ESCAPE_IS_ITS_OWN = { 'data-mantine-stop-propagation': 'true' }

export function Palette() {
  const { t } = useI18n()
  const title = useId()
  const dialog = useRef<HTMLDialogElement>(null)
  const field = useRef<HTMLInputElement>(null)
  const [isOpen, setOpen] = useState(false)
  const close = () => dialog.current?.close()
  useEffect(() => {
    const toggle = (event: globalThis.KeyboardEvent) => {
      if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === 'k') {
        event.preventDefault()
        if (dialog.current?.open) dialog.current.close()
        else setOpen(true)
      }
    }
    window.addEventListener('keydown', toggle)
    return () => window.removeEventListener('keydown', toggle)
  }, [])
  useLayoutEffect(() => {
    if (!isOpen) return
    dialog.current?.showModal()
    field.current?.focus()
  }, [isOpen])
  return (
    <>
      <Button size="xs" variant="default" onClick={() => setOpen(true)} aria-keyshortcuts="Control+K Meta+K">
        {t('palette.open')}
      </Button>
      <dialog
        ref={dialog}
        className={css.dialog}
        aria-labelledby={title}
        onClose={() => setOpen(false)}
        onClick={(event) => event.target === event.currentTarget && close()}
      >
        <div className={css.content}>
          <div className={css.head}>
            <h2 id={title} className={css.title}>
              {t('palette.title')}
            </h2>
            <CloseButton aria-label={t('ui.close')} onClick={close} {...ESCAPE_IS_ITS_OWN} />
          </div>
          {isOpen ? <Commands field={field} onDone={close} /> : null}
        </div>
      </dialog>
    </>
  )
}

function Commands({ field, onDone }: { field: RefObject<HTMLInputElement | null>; onDone: () => void }) {
  const { t } = useI18n()
  const list = useId()
  const [text, setText] = useState('')
  const [chosen, setChosen] = useState(0)
  const [isAwaited, setAwaited] = useState(false)
  const { targets, isLoading } = useTargets()
  const commands = commandsFor(text, targets, t)
  const current = Math.min(chosen, commands.length - 1)
  const run = (command: Command) => {
    onDone()
    command.run()
  }
  // Enter was pressed before everything that it can open was known.
  useEffect(() => {
    if (isAwaited && commands[0] !== undefined) run(commands[0])
  })
  const choose = (event: KeyboardEvent) => {
    if (event.nativeEvent.isComposing) return // this key belongs to the word that an input method makes
    if (event.key === 'Enter' && commands[current] !== undefined) run(commands[current])
    else if (event.key === 'Enter') setAwaited(isLoading)
    else if (event.key === 'ArrowDown') setChosen(Math.min(current + 1, commands.length - 1))
    else if (event.key === 'ArrowUp') setChosen(Math.max(current - 1, 0))
    else return
    event.preventDefault()
  }
  return (
    <>
      <TextInput
        ref={field}
        label={t('palette.label')}
        value={text}
        role="combobox"
        aria-expanded
        aria-controls={list}
        aria-activedescendant={commands.length === 0 ? undefined : `${list}${current}`}
        {...ESCAPE_IS_ITS_OWN}
        onKeyDown={choose}
        onChange={(event) => {
          setText(event.currentTarget.value)
          setChosen(0)
          setAwaited(false)
        }}
      />
      {commands.length > 0 ? (
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
      ) : isLoading ? (
        <Loader size="sm" mt="xs" role="status" aria-label={t('ui.loading')} />
      ) : (
        <Empty>{t('palette.none')}</Empty>
      )}
    </>
  )
}

/** What the palette offers without a number or address in its text, how it opens things, and whether more will come. */
function useTargets(): { targets: Targets; isLoading: boolean } {
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
    { label: t('policy.title'), run: () => void navigate({ to: '/administration/policy' }) },
    { label: t('notifications.title'), run: () => void navigate({ to: '/administration/notifications' }) },
    { label: t('palette.light'), run: () => setColorScheme('light') },
    { label: t('palette.dark'), run: () => setColorScheme('dark') },
    { label: t('palette.utc'), run: () => chooseZone('UTC') },
    { label: t('palette.localZone'), run: () => chooseZone('local') },
    { label: 'English', run: () => choose('en') },
    { label: '中文', run: () => choose('zh') },
    { label: t('session.signOut'), run: () => void signOut() },
  ]
  const targets = {
    named,
    openRedemption: (requestId: string) => void navigate({ to: '/redemptions/$requestId', params: { requestId } }),
    openTicket: (ticketId: string) => void navigate({ to: '/approvals/$ticketId', params: { ticketId } }),
    openRedemptionsOf: (owner: string) => void navigate({ to: '/redemptions', search: { owner } }),
    openProposal: (safeTxHash: string) => void navigate({ to: '/transactions/proposals/$safeTxHash', params: { safeTxHash } }),
  }
  return { targets, isLoading: assets.isPending }
}
