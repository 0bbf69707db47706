/** Add, change or remove one person: enter the change, read what the API says it does, and sign exactly that grant. */
import { Button, NativeSelect, TextInput } from '@mantine/core'
import { useMutation, useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { api, postTo, read, type Schemas } from '../api/client'
import { ownRightsQuery } from '../api/queries'
import { useI18n } from '../i18n'
import type { Permission } from '../session/rights'
import { Dialog, ProblemNotice } from '../ui/layout'
import ui from '../ui/ui.module.css'
import { SignDocument, signedFields } from '../wallet/SignDialog'
import { asTypedDocument } from '../wallet/typedData'

export interface UserChange {
  address: string
  /** null removes the person. */
  role: Schemas['UserRole'] | null
  name: string
  granted: readonly Permission[]
  denied: readonly Permission[]
}

export const NEW_PERSON: UserChange = { address: '', role: 'viewer', name: '', granted: [], denied: [] }

const ROLES = ['viewer', 'operator', 'admin', 'super_admin'] as const
/** It comes with the role super admin only. */
const NEVER_GRANTED: Permission = 'manage_users'

export function UserDialog({ initial, onClose }: { initial: UserChange; onClose: () => void }) {
  const { t } = useI18n()
  const [change, setChange] = useState(initial)
  const { address, role, name, granted, denied } = change
  const body = { address: address.trim(), role, name: name.trim(), granted: [...granted], denied: [...denied] }
  const proposal = useMutation({ mutationFn: () => read(api.POST('/api/v1/users/preview', { body })) })
  const proposed = proposal.data
  const title = t(role === null ? 'users.removeTitle' : initial === NEW_PERSON ? 'users.add' : 'users.changeTitle')
  return (
    <Dialog opened onClose={onClose} title={title}>
      <div className={ui.page}>
        {proposed === undefined ? (
          <>
            {role === null ? <p>{t('users.removeText')}</p> : <ChangeFields change={change} isNew={initial === NEW_PERSON} onChange={setChange} />}
            {proposal.error ? <ProblemNotice error={proposal.error} /> : null}
            <div className={ui.actions}>
              <Button disabled={body.address === ''} loading={proposal.isPending} onClick={() => proposal.mutate()}>
                {t('sign.show')}
              </Button>
            </div>
          </>
        ) : (
          <>
            <p>{proposed.statement}</p>
            <SignDocument
              document={asTypedDocument(proposed.typedData)}
              ready
              submit={(signed) => {
                const { nonce, expiresAt, signature } = signedFields(signed)
                return postTo(proposed.submitTo, { ...body, nonce, expiresAt, signature })
              }}
              onDone={onClose}
            />
            <div className={ui.actions}>
              <Button size="xs" variant="default" onClick={() => proposal.reset()}>
                {t('users.edit')}
              </Button>
            </div>
          </>
        )}
      </div>
    </Dialog>
  )
}

function ChangeFields({ change, isNew, onChange }: { change: UserChange; isNew: boolean; onChange: (change: UserChange) => void }) {
  const { t } = useI18n()
  const rights = useQuery(ownRightsQuery).data?.rights ?? []
  const { role, granted, denied } = change
  const setException = (permission: Permission, kind: string) => {
    const others = (list: readonly Permission[]) => list.filter((other) => other !== permission)
    onChange({
      ...change,
      granted: kind === 'granted' ? [...others(granted), permission] : others(granted),
      denied: kind === 'denied' ? [...others(denied), permission] : others(denied),
    })
  }
  return (
    <>
      <TextInput
        label={t('users.wallet')}
        value={change.address}
        readOnly={!isNew}
        onChange={(event) => onChange({ ...change, address: event.currentTarget.value })}
      />
      <TextInput
        label={t('users.name')}
        value={change.name}
        maxLength={100}
        onChange={(event) => onChange({ ...change, name: event.currentTarget.value })}
      />
      <NativeSelect
        label={t('users.role')}
        value={role ?? ''}
        data={ROLES.map((value) => ({ value, label: t(`role.${value}`) }))}
        onChange={(event) => onChange({ ...change, role: event.currentTarget.value as Schemas['UserRole'] })}
      />
      <details>
        <summary>{t('users.exceptions')}</summary>
        {rights.map(({ permission, meaning }) => (
          <NativeSelect
            key={permission}
            size="xs"
            label={meaning}
            value={granted.includes(permission) ? 'granted' : denied.includes(permission) ? 'denied' : 'role'}
            data={[
              { value: 'role', label: t('users.asTheRole') },
              ...(permission === NEVER_GRANTED ? [] : [{ value: 'granted', label: t('users.granted') }]),
              { value: 'denied', label: t('users.denied') },
            ]}
            onChange={(event) => setException(permission, event.currentTarget.value)}
          />
        ))}
      </details>
    </>
  )
}
