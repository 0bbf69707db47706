import { Button } from '@mantine/core'
import { useMutation } from '@tanstack/react-query'
import { downloadCsv, saveCsv, type Cell } from '../api/csv'
import { useI18n } from '../i18n'
import { ProblemNotice } from './layout'

/** Download a list, with its filter, as the API's own CSV. */
export function CsvButton({ path, query = {} }: { path: string; query?: Record<string, string | number | undefined> }) {
  const { t } = useI18n()
  const download = useMutation({ mutationFn: () => downloadCsv(path, query) })
  return (
    <>
      <Button size="xs" variant="default" loading={download.isPending} onClick={() => download.mutate()}>
        {t('ui.csv')}
      </Button>
      {download.error ? <ProblemNotice error={download.error} /> : null}
    </>
  )
}

/** Save rows that the page has computed or that the API has no file of; `rows` begins with the names of the columns. */
export function RowsCsvButton({ name, rows }: { name: string; rows: () => readonly (readonly Cell[])[] }) {
  const { t } = useI18n()
  return (
    <Button size="xs" variant="default" onClick={() => saveCsv(name, rows())}>
      {t('ui.csv')}
    </Button>
  )
}
