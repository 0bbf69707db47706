/** The people who may sign in, and their changes: each is a grant that a super admin's wallet signs. */
import { Button } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import type { Schemas } from '../api/client'
import { usersQuery } from '../api/queries'
import { useI18n } from '../i18n'
import { useRight } from '../session/rights'
import { DataTable, Loaded, Panel, type Column } from '../ui/layout'
import ui from '../ui/ui.module.css'
import { Address } from '../ui/values'
import { NEW_PERSON, UserDialog, type UserChange } from './UserDialog'

type User = Schemas['ListedUserView']

export function People() {
  const { t } = useI18n()
  const users = useQuery(usersQuery)
  const right = useRight('manage_users')
  const [change, setChange] = useState<UserChange | null>(null)
  const columns: Column<User>[] = [
    { name: 'name', head: t('users.name'), cell: ({ name, address }) => <Address of={address} name={name} /> },
    { name: 'role', head: t('users.role'), cell: ({ role }) => t(`role.${role}`) },
    { name: 'onChain', head: t('users.onChain'), cell: ({ chainRoles }) => chainRoles.map(({ role }) => role).join(', ') || '–' },
    { name: 'granted', head: t('users.granted'), cell: ({ granted }) => granted.join(', ') || '–' },
    { name: 'denied', head: t('users.denied'), cell: ({ denied }) => denied.join(', ') || '–' },
  ]
  if (right.isAllowed) {
    columns.push({
      name: 'actions',
      head: t('actions.title'),
      cell: ({ address, role, name, granted, denied, isFirst }) => isFirst ? t('users.first') : (
        <div className={ui.actions}>
          <Button size="xs" variant="default" onClick={() => setChange({ address, role, name, granted, denied })}>
            {t('users.change')}
          </Button>
          <Button size="xs" variant="default" onClick={() => setChange({ address, role: null, name: '', granted: [], denied: [] })}>
            {t('users.remove')}
          </Button>
        </div>
      ),
    })
  }
  const add = right.isAllowed ? (
    <Button size="xs" onClick={() => setChange(NEW_PERSON)}>
      {t('users.add')}
    </Button>
  ) : undefined
  return (
    <Panel title={t('users.title')} aside={add}>
      <Loaded query={users}>
        {({ items }) => <DataTable label={t('users.title')} rows={items} rowKey={({ address }) => address} empty="" columns={columns} />}
      </Loaded>
      <p className={ui.note}>{t('users.howTo')}</p>
      {change === null ? null : <UserDialog initial={change} onClose={() => setChange(null)} />}
    </Panel>
  )
}
