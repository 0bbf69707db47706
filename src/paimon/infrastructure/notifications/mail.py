"""E-mail by SMTP. The message's id is its Message-ID, so that a mail server that gets it twice can tell."""

import smtplib
import ssl
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Final

from paimon.domain.notification.message import Attempt, Outcome, OutgoingMessage
from paimon.domain.risk.risk_event import Severity
from paimon.settings.notification_file import EmailSettings, SmtpSettings

_PERMANENT: Final = 500


def compose_mail(channel: EmailSettings, smtp: SmtpSettings, message: OutgoingMessage, *, now: datetime) -> EmailMessage:
    """Return the message as a mail in plain text."""
    mail = EmailMessage()
    mail["From"], mail["To"] = smtp.sender, channel.to
    mail["Subject"] = " ".join(message.title.split())
    mail["Date"] = format_datetime(now)
    mail["Message-ID"] = f"<{message.key}@{smtp.sender.rpartition('@')[2]}>"
    mail["References"] = f"<{message.dedup_key}@{smtp.sender.rpartition('@')[2]}>"  # an alarm and its end are one thread
    mail["Auto-Submitted"] = "auto-generated"
    if message.severity is Severity.CRITICAL:
        mail["Importance"] = "high"
    mail.set_content(message.text)
    return mail


def send_mail(smtp: SmtpSettings, mail: EmailMessage, *, timeout_seconds: float) -> Attempt:
    """Hand the mail to the server. It blocks for a few times the timeout at most: call it in a thread."""
    try:
        with _connect(smtp, timeout_seconds) as server:
            if smtp.security == "starttls":
                server.starttls(context=ssl.create_default_context())
            if smtp.user is not None and smtp.password_file is not None:
                server.login(smtp.user, smtp.password_file.read_text().strip())
            server.send_message(mail)
    except smtplib.SMTPRecipientsRefused as error:
        code, text = next(iter(error.recipients.values()))
        return _refusal(code, text)
    except smtplib.SMTPAuthenticationError as error:
        return Attempt(Outcome.RETRY, reason=f"the mail server refused the password: {error.smtp_code}")
    except smtplib.SMTPResponseException as error:
        return _refusal(error.smtp_code, error.smtp_error)
    except (OSError, smtplib.SMTPException) as error:
        return Attempt(Outcome.RETRY, reason=f"the mail server cannot be used: {type(error).__name__}")
    return Attempt(Outcome.ACCEPTED, receipt=mail["Message-ID"])


def _connect(smtp: SmtpSettings, timeout_seconds: float) -> smtplib.SMTP:
    if smtp.security == "tls":
        return smtplib.SMTP_SSL(smtp.host, smtp.port, timeout=timeout_seconds, context=ssl.create_default_context())
    return smtplib.SMTP(smtp.host, smtp.port, timeout=timeout_seconds)


def _refusal(code: int, text: bytes | str) -> Attempt:
    shown = text.decode(errors="replace") if isinstance(text, bytes) else text
    outcome = Outcome.REFUSED if code >= _PERMANENT else Outcome.RETRY
    return Attempt(outcome, reason=f"the mail server answered {code}: {shown[:200]}")
