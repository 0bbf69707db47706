/** What a person chooses for the channels that the settings name as theirs. */
import { Button, Checkbox, NativeSelect, TextInput } from '@mantine/core'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { api, read, type Schemas } from '../api/client'
import { preferencesQuery } from '../api/queries'
import { useI18n, type Key } from '../i18n'
import { Loaded, Panel, ProblemNotice } from '../ui/layout'
import ui from '../ui/ui.module.css'

type PreferencesView = Schemas['PreferencesView']

const LANGUAGES: readonly Schemas['MessageLanguage'][] = ['en', 'zh-CN']
const SEVERITIES: readonly Schemas['Severity'][] = ['WARNING', 'CRITICAL']

export function Preferences() {
  const { t } = useI18n()
  const preferences = useQuery(preferencesQuery)
  return (
    <Panel title={t('preferences.title')}>
      <Loaded query={preferences}>{(saved) => <Form saved={saved} />}</Loaded>
    </Panel>
  )
}

function Form({ saved }: { saved: PreferencesView }) {
  const { t } = useI18n()
  const client = useQueryClient()
  const [edited, setEdited] = useState<Schemas['PreferencesBody'] | null>(null)
  const { language = null, severityMin = 'WARNING', quietHours = null } = edited ?? saved
  const set = (change: Partial<Schemas['PreferencesBody']>) => setEdited({ language, severityMin, quietHours, ...change })
  const save = useMutation({
    mutationFn: () => read(api.PUT('/api/v1/notifications/preferences', { body: { language, severityMin, quietHours } })),
    onSuccess: (now) => {
      client.setQueryData(preferencesQuery.queryKey, now)
      setEdited(null)
    },
  })
  return (
    <>
      <p className={ui.note}>{saved.channels.length === 0 ? t('preferences.noChannels') : t('preferences.channels', { channels: saved.channels.join(', ') })}</p>
      <div className={ui.filters}>
        <NativeSelect
          label={t('notifications.language')}
          value={language ?? ''}
          onChange={(event) => set({ language: LANGUAGES.find((one) => one === event.currentTarget.value) ?? null })}
          data={[{ value: '', label: t('preferences.asChannel') }, ...LANGUAGES.map((value) => ({ value, label: t(`notifications.language.${value}` as Key) }))]}
        />
        <NativeSelect
          label={t('preferences.severityMin')}
          value={severityMin}
          onChange={(event) => set({ severityMin: SEVERITIES.find((one) => one === event.currentTarget.value) ?? 'WARNING' })}
          data={SEVERITIES.map((value) => ({ value, label: t(`status.${value}` as Key) }))}
        />
      </div>
      <Checkbox
        mt="xs"
        label={t('preferences.quiet')}
        checked={quietHours !== null}
        onChange={(event) => set({ quietHours: event.currentTarget.checked ? { start: '22:00', end: '07:00', zone: Intl.DateTimeFormat().resolvedOptions().timeZone } : null })}
      />
      {quietHours === null ? null : (
        <div className={ui.filters}>
          {(['start', 'end', 'zone'] as const).map((name) => (
            <TextInput
              key={name}
              label={t(`preferences.${name}`)}
              type={name === 'zone' ? 'text' : 'time'}
              value={name === 'zone' ? quietHours.zone : quietHours[name].slice(0, 5)}
              onChange={(event) => set({ quietHours: { ...quietHours, [name]: event.currentTarget.value } })}
            />
          ))}
        </div>
      )}
      <p className={ui.note}>{t('preferences.critical')}</p>
      {save.error ? <ProblemNotice error={save.error} /> : null}
      <div className={ui.actions}>
        <Button size="xs" disabled={edited === null} loading={save.isPending} onClick={() => save.mutate()}>
          {t('preferences.save')}
        </Button>
        {save.isSuccess && edited === null ? <span role="status">{t('preferences.saved')}</span> : null}
      </div>
    </>
  )
}
