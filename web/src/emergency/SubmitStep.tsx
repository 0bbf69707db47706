import { Alert, Button } from '@mantine/core'
import { useMutation } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useState } from 'react'
import { api, read, type Schemas } from '../api/client'
import { useI18n } from '../i18n'
import { useRight } from '../session/rights'
import { PlanCalls, PlanPreview } from '../transactions/PlanPreview'
import { Empty, ProblemNotice } from '../ui/layout'
import ui from '../ui/ui.module.css'
import { SignDialog, signedFields, type SignedDocument } from '../wallet/SignDialog'

type Body = Schemas['PlanBody']
type Plan = Schemas['PreviewView']

/** An administrator looks at what a step's plan would do now, and submits it by a signature. */
export function SubmitStep({ request }: { request: Body }) {
  const { t } = useI18n()
  const right = useRight('administer_fund')
  const preview = useMutation({ mutationFn: () => read(api.POST('/api/v1/plans/preview', { body: request })) })
  const [signing, setSigning] = useState(false)
  const submit = useMutation({ mutationFn: (signed: SignedDocument) => submitPlan(request, signed) })
  const plan = preview.data
  if (submit.data !== undefined) {
    return (
      <Alert color="green" title={t('plan.submitted')} role="status">
        <Link to="/transactions/plans/$planId" params={{ planId: submit.data.id }}>
          {t('plan.toPage')}
        </Link>
      </Alert>
    )
  }
  return (
    <>
      <Empty>{t('emergency.waitsForPlan')}</Empty>
      {preview.error ? <ProblemNotice error={preview.error} /> : null}
      {plan === undefined ? null : <PlanPreview plan={plan} />}
      {right.isAllowed ? (
        <div className={ui.actions}>
          <Button size="xs" variant="default" loading={preview.isPending} onClick={() => preview.mutate()}>
            {t('emergency.preview')}
          </Button>
          {plan === undefined ? null : (
            <Button size="xs" disabled={plan.signing === null} onClick={() => setSigning(true)}>
              {t('plan.submit')}
            </Button>
          )}
        </div>
      ) : null}
      {signing && plan !== undefined && plan.signing !== null ? (
        <SignDialog
          title={t('plan.submit')}
          document={plan.signing}
          willHappen={<WillHappen plan={plan} />}
          reason="none"
          submit={(signed) => submit.mutateAsync(signed)}
          onClose={() => setSigning(false)}
        />
      ) : null}
    </>
  )
}

function submitPlan(request: Body, signed: SignedDocument): Promise<Schemas['PlanDetailView']> {
  const { wallet, amount } = signed.document.message as { wallet: Schemas['PlanWallet']; amount: string }
  return read(api.POST('/api/v1/plans', { body: { ...request, ...signedFields(signed), wallet, amount } }))
}

function WillHappen({ plan }: { plan: Plan }) {
  const { t } = useI18n()
  return (
    <>
      <p>{plan.wallet === 'hot' ? t('emergency.willSend') : t('emergency.willSubmit', { wallet: plan.wallet ?? '' })}</p>
      <PlanCalls plan={plan} />
    </>
  )
}
