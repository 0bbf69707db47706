import { Alert, Button } from '@mantine/core'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { getAddress } from 'viem'
import { useConnect, useConnection, useConnectors, useDisconnect, useSignMessage } from 'wagmi'
import { api, read } from '../api/client'
import { challengeQuery } from '../api/queries'
import { shortHex } from '../format/addresses'
import { useI18n } from '../i18n'
import { ProblemNotice } from '../ui/layout'
import ui from '../ui/ui.module.css'
import { isRefusal } from '../wallet/refusal'
import { acceptTokens } from './tokens'

/**
 * Sign in with a wallet in two clicks: choose the wallet, then sign the message that is there already. Phones open a wallet only
 * directly from a tap, so nothing is awaited between the second click and the wallet.
 */
export function SignInPanel({ expected }: { expected: string | null }) {
  const { address } = useConnection()
  return address === undefined ? <ChooseWallet /> : <SignMessage address={getAddress(address)} expected={expected} />
}

function ChooseWallet() {
  const { t } = useI18n()
  const connectors = useConnectors()
  const connect = useConnect()
  if (connectors.length === 0) return <Alert title={t('wallet.none')}>{t('wallet.noneText')}</Alert>
  return (
    <div className={ui.page}>
      {connectors.map((connector) => (
        <Button
          key={connector.uid}
          variant="default"
          size="md"
          loading={connect.isPending && connect.variables.connector === connector}
          leftSection={connector.icon ? <img src={connector.icon} alt="" width={20} height={20} /> : null}
          onClick={() => connect.mutate({ connector })}
        >
          {t('wallet.connect', { name: connector.name })}
        </Button>
      ))}
      {connect.isPending ? (
        <Button variant="subtle" onClick={() => connect.reset()}>
          {t('ui.cancel')}
        </Button>
      ) : null}
      {connect.error && !isRefusal(connect.error) ? <ProblemNotice error={connect.error.message} /> : null}
    </div>
  )
}

function SignMessage({ address, expected }: { address: string; expected: string | null }) {
  const { t } = useI18n()
  const client = useQueryClient()
  const challenge = useQuery(challengeQuery(address))
  const disconnect = useDisconnect()
  const wallet = useSignMessage()
  const signIn = useMutation({
    mutationFn: async (message: string) => {
      const signature = await wallet.mutateAsync({ message })
      return read(api.POST('/api/v1/auth/verify', { body: { message, signature, client: 'BROWSER' } }))
    },
    onSuccess: (issued) => {
      acceptTokens(issued)
      void client.invalidateQueries()
    },
    onSettled: () => challenge.refetch(), // a challenge works once
  })
  const other = expected !== null && expected !== address
  return (
    <div className={ui.page}>
      {other ? <Alert color="yellow">{t('wallet.otherAccount', { expected: shortHex(expected), actual: shortHex(address) })}</Alert> : null}
      <Button
        size="md"
        disabled={challenge.data === undefined}
        loading={signIn.isPending}
        onClick={() => challenge.data && signIn.mutate(challenge.data.message)}
      >
        {t('session.signInAs', { address: shortHex(address) })}
      </Button>
      {signIn.isPending ? (
        <Button variant="subtle" onClick={() => signIn.reset()}>
          {t('ui.cancel')}
        </Button>
      ) : null}
      <Button variant="subtle" onClick={() => disconnect.mutate({})}>
        {t('wallet.other')}
      </Button>
      {challenge.data ? (
        <details>
          <summary>{t('session.message')}</summary>
          <pre className={ui.document}>{challenge.data.message}</pre>
        </details>
      ) : null}
      {challenge.error ? <ProblemNotice error={challenge.error} retry={() => void challenge.refetch()} /> : null}
      {signIn.error ? isRefusal(signIn.error) ? <Alert color="yellow">{t('wallet.refused')}</Alert> : <ProblemNotice error={signIn.error} /> : null}
    </div>
  )
}
