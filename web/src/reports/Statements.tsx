import { Button, TextInput } from '@mantine/core'
import { useMutation, useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { isAddress } from 'viem'
import { fetchFile, saveFile } from '../api/files'
import { holdersQuery } from '../api/queries'
import { serverNowMs, utcDay } from '../format/time'
import { useI18n } from '../i18n'
import { Panel, ProblemNotice } from '../ui/layout'
import ui from '../ui/ui.module.css'

const FILES = [
  { format: 'pdf', language: 'en' },
  { format: 'pdf', language: 'zh' },
  { format: 'xlsx', language: 'en' },
  { format: 'xlsx', language: 'zh' },
  { format: 'csv', language: undefined },
] as const
type File = (typeof FILES)[number]

/** A holder's statement of a month, made when it is asked for. */
export function Statements() {
  const { t } = useI18n()
  const holders = useQuery(holdersQuery(1))
  const [holder, setHolder] = useState('')
  const [month, setMonth] = useState(() => utcDay(serverNowMs()).slice(0, 7))
  const [tried, setTried] = useState(false)
  const isHolder = isAddress(holder.trim(), { strict: false })
  const isMonth = /^\d{4}-(0[1-9]|1[0-2])$/.test(month.trim())
  const download = useMutation({ mutationFn: (file: File) => downloadStatement(holder.trim(), month.trim(), file) })
  const ask = (file: File) => {
    setTried(true)
    if (isHolder && isMonth) download.mutate(file)
  }
  return (
    <Panel title={t('statements.title')}>
      <p className={ui.note}>{t('statements.intro')}</p>
      <div className={ui.filters}>
        <TextInput
          label={t('assets.holder')}
          list="statement-holders"
          value={holder}
          error={tried && !isHolder ? t('statements.holderFault') : undefined}
          onChange={(event) => setHolder(event.currentTarget.value)}
        />
        <datalist id="statement-holders">
          {holders.data?.items.map(({ holder: address }) => (
            <option key={address} value={address} />
          ))}
        </datalist>
        <TextInput
          label={t('statements.month')}
          placeholder="2026-01"
          value={month}
          error={tried && !isMonth ? t('statements.monthFault') : undefined}
          onChange={(event) => setMonth(event.currentTarget.value)}
        />
      </div>
      <div className={ui.actions}>
        {FILES.map((file) => (
          <Button
            key={`${file.format}${file.language ?? ''}`}
            size="xs"
            variant="default"
            loading={download.isPending && download.variables === file}
            onClick={() => ask(file)}
          >
            {file.language === undefined ? t('statements.file', { format: file.format.toUpperCase() }) : t(`statements.${file.language}`, { format: file.format.toUpperCase() })}
          </Button>
        ))}
      </div>
      {download.error ? <ProblemNotice error={download.error} /> : null}
    </Panel>
  )
}

async function downloadStatement(holder: string, month: string, { format, language }: File): Promise<void> {
  const { bytes, name, type } = await fetchFile(`/api/v1/statements/${holder}`, { date: `${month}-01`, format, language })
  saveFile(bytes, name ?? `paimon-statement-${month}.${format}`, type)
}
