/**
 * One action of an operator: give a reason, read what the API says would happen now, and sign exactly that.
 *
 * The API builds the document (`POST /signed-actions`) and builds it again when the signature arrives, so nothing else can happen.
 */
import { Button } from '@mantine/core'
import { useMutation } from '@tanstack/react-query'
import { useState } from 'react'
import { api, postTo, read, type Schemas } from '../api/client'
import { useI18n } from '../i18n'
import { useRight, WhyNot, type Permission } from '../session/rights'
import { Dialog, ProblemNotice } from '../ui/layout'
import ui from '../ui/ui.module.css'
import { ReasonField, SignDocument, signedFields } from './SignDialog'
import { asTypedDocument } from './typedData'

/** The actions offered by this dialog. Source of the rights: docs/reference/api.md. */
const PERMISSION = {
  settle_redemption: 'settle',
  resolve_risk_event: 'handle_risk',
  speed_up: 'handle_transactions',
  cancel: 'handle_transactions',
  retry: 'handle_transactions',
  clear_fault: 'handle_transactions',
  replay_message: 'replay_messages',
  release_log: 'handle_quarantine',
  skip_log: 'handle_quarantine',
  publish_policy: 'manage_policy',
  end_stand_in: 'read',
  start_drill: 'handle_emergency',
  sign_drill_step: 'read',
  decline_emergency_step: 'handle_emergency',
  stand_down_emergency: 'handle_emergency',
} as const satisfies Partial<Record<Schemas['ActionName'], Permission>>

export type ActionName = keyof typeof PERMISSION

interface Action {
  action: ActionName
  /** Its path in the API, such as `/redemptions/12`. */
  resource: string
}

interface Offer {
  resource: string
  actions: readonly [ActionName, ...ActionName[]]
  /** Where this thing needs another right than its actions do in general. */
  permission?: Permission | undefined
}

/** Offer actions on one thing, all of one right; or say why this person may not. */
export function Actions({ resource, actions, permission = PERMISSION[actions[0]] }: Offer) {
  const { t } = useI18n()
  const right = useRight(permission)
  const [open, setOpen] = useState<ActionName | null>(null)
  return (
    <>
      <WhyNot right={right} />
      <div className={ui.actions}>
        {actions.map((action) =>
          right.isAllowed ? (
            <Button key={action} size="xs" variant="default" onClick={() => setOpen(action)}>
              {t(`action.${action}`)}
            </Button>
          ) : null,
        )}
      </div>
      {open === null ? null : <ActionDialog action={open} resource={resource} onClose={() => setOpen(null)} />}
    </>
  )
}

function ActionDialog({ action, resource, onClose }: Action & { onClose: () => void }) {
  const { t } = useI18n()
  const [reason, setReason] = useState('')
  const proposal = useMutation({
    mutationFn: () => read(api.POST('/api/v1/signed-actions', { body: { action, resource, reason: reason.trim() } })),
  })
  const proposed = proposal.data
  return (
    <Dialog opened onClose={onClose} title={t(`action.${action}`)}>
      <div className={ui.page}>
        {proposed === undefined ? (
          <>
            <ReasonField label={t('sign.reason')} description={t('sign.reasonKept')} value={reason} onChange={setReason} />
            {proposal.error ? <ProblemNotice error={proposal.error} /> : null}
            <div className={ui.actions}>
              <Button disabled={reason.trim() === ''} loading={proposal.isPending} onClick={() => proposal.mutate()}>
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
              submit={(signed) => postTo(proposed.submitTo, signedFields(signed))}
              onDone={onClose}
            />
            <div className={ui.actions}>
              <Button size="xs" variant="default" onClick={() => proposal.reset()}>
                {t('sign.changeReason')}
              </Button>
            </div>
          </>
        )}
      </div>
    </Dialog>
  )
}
