/** The parts that every page is made of. */
import { Alert, Button, Loader, Modal } from '@mantine/core'
import type { UseQueryResult } from '@tanstack/react-query'
import type { ReactNode } from 'react'
import { ApiProblem } from '../api/client'
import { useI18n, type Key } from '../i18n'
import css from './ui.module.css'

export function Page({ title, aside, children }: { title: ReactNode; aside?: ReactNode; children: ReactNode }) {
  return (
    <div className={css.page}>
      <div className={css.pageHead}>
        <h1 className={css.pageTitle}>{title}</h1>
        {aside}
      </div>
      {children}
    </div>
  )
}

export function Panel({ title, aside, children }: { title?: ReactNode; aside?: ReactNode; children: ReactNode }) {
  return (
    <section className={css.panel}>
      {title === undefined ? null : (
        <div className={css.panelHead}>
          <h2 className={css.panelTitle}>{title}</h2>
          {aside === undefined ? null : <div className={css.actions}>{aside}</div>}
        </div>
      )}
      {children}
    </section>
  )
}

export function Facts({ of }: { of: readonly (readonly [label: string, value: ReactNode] | null)[] }) {
  return (
    <dl className={css.facts}>
      {of.map((fact) =>
        fact === null ? null : (
          <div key={fact[0]} className="fact">
            <dt>{fact[0]}</dt>
            <dd>{fact[1]}</dd>
          </div>
        ),
      )}
    </dl>
  )
}

export function Tile({ label, children, note }: { label: string; children: ReactNode; note?: ReactNode }) {
  return (
    <div className={css.panel}>
      <div className={css.tileLabel}>{label}</div>
      <div className={css.tileValue}>{children}</div>
      {note === undefined ? null : <div className={css.note}>{note}</div>}
    </div>
  )
}

export function Empty({ children }: { children: ReactNode }) {
  return <p className={css.note}>{children}</p>
}

/** What went wrong, in the reader's language where the error is known, and what to do next. */
export function ProblemNotice({ error, retry }: { error: unknown; retry?: (() => void) | undefined }) {
  const { t } = useI18n()
  const problem = error instanceof ApiProblem ? error : null
  const title = problem ? t(`problem.${problem.code}` as Key) || problem.code : t('problem.other')
  return (
    <Alert color="red" title={title} role="alert">
      <div>{problem ? problem.message : String(error)}</div>
      {problem?.details.map((detail) => (
        <div key={`${detail.field}${detail.message}`}>
          {detail.field}: {detail.message}
        </div>
      ))}
      {problem?.requestId ? <div className={css.note}>{t('problem.requestId', { id: problem.requestId })}</div> : null}
      {retry === undefined ? null : (
        <Button size="xs" mt="xs" variant="default" onClick={retry}>
          {t('ui.retry')}
        </Button>
      )}
    </Alert>
  )
}

/** Show what a query returned; or that it is loading; or what failed, above what was known before. */
export function Loaded<Data>({ query, children }: { query: UseQueryResult<Data>; children: (data: Data) => ReactNode }) {
  const { t } = useI18n()
  return (
    <>
      {query.isError ? <ProblemNotice error={query.error} retry={() => void query.refetch()} /> : null}
      {query.data === undefined ? query.isError ? null : <Loader size="sm" role="status" aria-label={t('ui.loading')} /> : children(query.data)}
    </>
  )
}

/** Mantine's dialog without what a strict Content-Security-Policy refuses. `above` is for one that opens over another. */
export function Dialog({
  opened,
  title,
  above = false,
  onClose,
  children,
}: {
  opened: boolean
  title: string
  above?: boolean
  onClose: () => void
  children: ReactNode
}) {
  const { t } = useI18n()
  return (
    <Modal.Root opened={opened} onClose={onClose} lockScroll={false} size="lg" zIndex={above ? 400 : 200}>
      <Modal.Overlay />
      <Modal.Content>
        <Modal.Header role="none">
          <Modal.Title>{title}</Modal.Title>
          <Modal.CloseButton aria-label={t('ui.close')} />
        </Modal.Header>
        <Modal.Body>{children}</Modal.Body>
      </Modal.Content>
    </Modal.Root>
  )
}

export interface Column<Row> {
  name: string
  head: string
  right?: boolean
  /** Holds sentences. */
  wide?: boolean
  cell: (row: Row) => ReactNode
}

export function DataTable<Row>({
  label,
  columns,
  rows,
  rowKey,
  empty,
}: {
  label: string
  columns: readonly Column<Row>[]
  rows: readonly Row[]
  rowKey: (row: Row) => string
  empty: string
}) {
  if (rows.length === 0) return <Empty>{empty}</Empty>
  return (
    <div className={css.tableBox} tabIndex={0} role="region" aria-label={label}>
      <table className={css.table}>
        <thead>
          <tr>
            {columns.map(({ name, head, right, wide }) => (
              <th key={name} scope="col" className={right ? css.right : wide ? css.wide : undefined}>
                {head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={rowKey(row)}>
              {columns.map(({ name, cell, right }) => (
                <td key={name} className={right ? css.right : undefined}>
                  {cell(row)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

/** Pages by number: the list's total is known. */
export function Pager({
  page,
  totalPages,
  total,
  onPage,
}: {
  page: number
  totalPages: number | null
  total: number | null
  onPage: (page: number) => void
}) {
  const { t } = useI18n()
  if (totalPages === null || totalPages <= 1) return total ? <div className={css.note}>{t('ui.rows', { total })}</div> : null
  return (
    <nav className={css.actions} aria-label={t('ui.pages')}>
      <Button size="xs" variant="default" disabled={page <= 1} onClick={() => onPage(page - 1)}>
        {t('ui.previous')}
      </Button>
      <span className={css.note}>{t('ui.pageOf', { page, totalPages, total: total ?? '' })}</span>
      <Button size="xs" variant="default" disabled={page >= totalPages} onClick={() => onPage(page + 1)}>
        {t('ui.next')}
      </Button>
    </nav>
  )
}
