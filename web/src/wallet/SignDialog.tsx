/**
 * Sign one EIP-712 document: what will happen in words, the document beside it, its hashes, and then the wallet's own signature.
 * Nothing that moves money happens without it.
 */
import { Alert, Button, Textarea } from '@mantine/core'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useEffect, useRef, useState, type ReactNode } from 'react'
import { getAddress, type Hex } from 'viem'
import { useConnect, useConnection, useConnectors, useDisconnect, useSignTypedData, useSwitchChain } from 'wagmi'
import { shortHex } from '../format/addresses'
import { serverNowMs } from '../format/time'
import { useI18n } from '../i18n'
import { useUser } from '../session/store'
import { Dialog, ProblemNotice } from '../ui/layout'
import ui from '../ui/ui.module.css'
import { chainName } from './config'
import { HashCard } from './HashCard'
import { isRefusal } from './refusal'
import { asTypedDocument, chainIdOf, withMessage, type TypedDocument } from './typedData'

export interface SignedDocument {
  document: TypedDocument
  signature: Hex
}

/** The fields of a signed message that the API wants back. */
export function signedFields({ document, signature }: SignedDocument) {
  const { nonce, expiresAt, reason } = document.message as Record<string, string>
  return { nonce: nonce ?? '', expiresAt: expiresAt ?? '', reason: reason ?? '', signature }
}

export interface SignDialogProps {
  title: string
  /** As the API gives it now; it is renewed while the dialog is open, because it expires. */
  document: unknown
  willHappen: ReactNode
  /** Why it cannot be signed any more, such as another person's decision; what was entered stays. */
  obstacle?: string | null
  /** Whether the document has a reason to fill in. */
  reason: 'required' | 'optional' | 'none'
  submit: (signed: SignedDocument) => Promise<unknown>
  onClose: () => void
}

const RENEW_SECONDS = 20

export function SignDialog({ title, document: latest, willHappen, obstacle = null, reason: reasonRule, submit, onClose }: SignDialogProps) {
  const { t } = useI18n()
  const [reason, setReason] = useState('')
  const held = useHeldDocument(latest)
  const document = reasonRule === 'none' ? held : withMessage(held, { reason: reason.trim() })
  return (
    <Dialog opened onClose={onClose} title={title}>
      <div className={ui.page}>
        <div>{willHappen}</div>
        {reasonRule === 'none' ? null : (
          <ReasonField
            label={t(reasonRule === 'required' ? 'sign.reason' : 'sign.reasonOptional')}
            description={reasonRule === 'required' ? t('sign.reasonText') : undefined}
            value={reason}
            onChange={setReason}
          />
        )}
        {obstacle === null ? null : <Alert color="orange" title={obstacle} role="alert" />}
        <SignDocument
          document={document}
          ready={obstacle === null && (reasonRule !== 'required' || reason.trim() !== '')}
          submit={submit}
          onDone={onClose}
        />
      </div>
    </Dialog>
  )
}

/** A reason in one line: wallets show it. */
export function ReasonField({
  label,
  description,
  value,
  onChange,
}: {
  label: string
  description?: string | undefined
  value: string
  onChange: (reason: string) => void
}) {
  return (
    <Textarea
      label={label}
      description={description}
      value={value}
      maxLength={500}
      autosize
      onChange={(event) => onChange(event.currentTarget.value.replace(/\n/g, ' '))}
    />
  )
}

/** Show a document with its hashes, have the wallet sign it, and submit the signature. */
export function SignDocument({
  document,
  ready,
  submit,
  onDone,
}: {
  document: TypedDocument
  ready: boolean
  submit: (signed: SignedDocument) => Promise<unknown>
  onDone: () => void
}) {
  const { t } = useI18n()
  const client = useQueryClient()
  const wallet = useSignTypedData()
  const awaited = useRef<TypedDocument | null>(null)
  useEffect(() => () => void (awaited.current = null), []) // a dialog that was closed waits for nothing
  const action = useMutation({
    mutationFn: async (toSign: TypedDocument) => {
      awaited.current = toSign
      const signature = await wallet.mutateAsync(toSign)
      // A wallet may sign long after its person stopped waiting for it. Then nothing is sent.
      if (awaited.current !== toSign) return false
      await submit({ document: toSign, signature })
      return true
    },
    onSuccess: (sent) => (sent ? onDone() : undefined),
    onSettled: () => client.invalidateQueries(),
  })
  const stopWaiting = () => {
    awaited.current = null
    action.reset()
  }
  return (
    <>
      <details open>
        <summary>{t('sign.document', { type: document.primaryType })}</summary>
        <MessageFields document={document} />
      </details>
      <HashCard document={document} />
      {action.error ? (
        isRefusal(action.error) ? <Alert color="yellow" role="alert">{t('wallet.refused')}</Alert> : <ProblemNotice error={action.error} />
      ) : null}
      <WalletReady chainId={chainIdOf(document)}>
        <Button disabled={!ready} loading={action.isPending} onClick={() => action.mutate(document)}>
          {t('sign.sign')}
        </Button>
        {action.isPending ? (
          <Button variant="default" onClick={stopWaiting}>
            {t('sign.stopWaiting')}
          </Button>
        ) : null}
      </WalletReady>
    </>
  )
}

/** Keep one document while it is read, and take the newest when it is about to expire. */
function useHeldDocument(latest: unknown): TypedDocument {
  const newest = asTypedDocument(latest)
  const [held, setHeld] = useState(newest)
  const isOld = secondsLeft(held) < RENEW_SECONDS && secondsLeft(newest) > secondsLeft(held)
  if (isOld) setHeld(newest)
  return isOld ? newest : held
}

function secondsLeft(document: TypedDocument): number {
  const { expiresAt } = document.message
  if (typeof expiresAt !== 'string') return Infinity // such as a Safe transaction, whose signature never expires
  return secondsOf(expiresAt) - serverNowMs() / 1_000
}

function secondsOf(text: string): number {
  // eslint-disable-next-line no-restricted-syntax -- a moment in Unix seconds, not an amount
  return Number(text)
}

function MessageFields({ document }: { document: TypedDocument }) {
  return (
    <dl className={ui.facts}>
      {Object.entries(document.message).map(([name, value]) => (
        <div key={name} className="fact">
          <dt>{name}</dt>
          <dd className={ui.mono}>{typeof value === 'string' ? value || '–' : JSON.stringify(value)}</dd>
        </div>
      ))}
    </dl>
  )
}

/** Show the children where the wallet can sign as the signed-in person on the document's chain, else the way to get there. */
function WalletReady({ chainId, children }: { chainId: number | null; children: ReactNode }) {
  const { t } = useI18n()
  const user = useUser()
  const { address, chainId: walletChain } = useConnection()
  const connectors = useConnectors()
  const connect = useConnect()
  const disconnect = useDisconnect()
  const switchChain = useSwitchChain()
  if (address === undefined) {
    return (
      <div className={ui.actions}>
        {connectors.map((connector) => (
          <Button key={connector.uid} variant="default" loading={connect.isPending} onClick={() => connect.mutate({ connector })}>
            {t('wallet.connect', { name: connector.name })}
          </Button>
        ))}
      </div>
    )
  }
  if (getAddress(address) !== getAddress(user.address)) {
    return (
      <>
        <Alert color="yellow">{t('wallet.otherAccount', { expected: shortHex(user.address), actual: shortHex(address) })}</Alert>
        <div className={ui.actions}>
          <Button variant="default" onClick={() => disconnect.mutate({})}>
            {t('wallet.other')}
          </Button>
        </div>
      </>
    )
  }
  if (chainId !== null && walletChain !== chainId) {
    return (
      <>
        <Alert color="yellow">{t('wallet.wrongChain', { name: chainName(chainId) })}</Alert>
        <div className={ui.actions}>
          <Button loading={switchChain.isPending} onClick={() => switchChain.mutate({ chainId })}>
            {t('wallet.switch', { name: chainName(chainId) })}
          </Button>
          {switchChain.isPending ? (
            <Button variant="default" onClick={() => switchChain.reset()}>
              {t('ui.cancel')}
            </Button>
          ) : null}
        </div>
        {switchChain.error && !isRefusal(switchChain.error) ? <ProblemNotice error={switchChain.error.message} /> : null}
      </>
    )
  }
  return <div className={ui.actions}>{children}</div>
}
