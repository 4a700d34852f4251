"""Mail: EML and MBOX. Subject, people and date are kept, the plainest body is taken, attachments follow by name."""

import re
from collections.abc import Callable, Iterator
from email import policy
from email.errors import MessageError
from email.message import EmailMessage
from email.parser import BytesParser

from causeway.ingestor.parsing import charset, html
from causeway.ingestor.parsing.outline import Outline, flow

ParseInner = Callable[[bytes, str, str], None]
"""Parses an attachment (body, filename, media type) into the same outline."""

_HEADERS = ("Subject", "From", "To", "Cc", "Date")
_MBOX_LINE = re.compile(rb"(?:\A|\n)From [^\n]*\d{4}[^\n]*\n")
_policy = policy.default.clone(raise_on_defect=False)


def parse(body: bytes, outline: Outline, inner: ParseInner) -> str:
    """Add one message. Returns its subject."""
    message = BytesParser(_class(), policy=_policy).parsebytes(body)
    subject = _header(message, "Subject")
    outline.heading(1, subject or "(no subject)")
    outline.add("\n".join(f"{name}: {_header(message, name)}" for name in _HEADERS if _header(message, name)))
    _body(message, outline)
    for part in _attachments(message):
        _attachment(part, outline, inner)
    return subject


def parse_mbox(body: bytes, outline: Outline, inner: ParseInner) -> None:
    """Add every message of a mailbox under its subject."""
    body = body.replace(b"\r\n", b"\n")
    starts = [match.end() for match in _MBOX_LINE.finditer(body)]
    ends = [*(match.start() for match in _MBOX_LINE.finditer(body)), len(body)][1:]
    for start, end in zip(starts, ends, strict=True):
        outline.leave_headings()
        parse(body[start:end], outline, inner)


def _class() -> type[EmailMessage]:
    return EmailMessage


def _header(message: EmailMessage, name: str) -> str:
    try:
        return flow(str(message.get(name, "")))
    except (MessageError, ValueError, IndexError, AttributeError):
        # The header parser of the standard library stumbles over some malformed addresses.
        return ""


def _body(message: EmailMessage, outline: Outline) -> None:
    part = message.get_body(preferencelist=("plain", "html"))
    if not isinstance(part, EmailMessage):
        return
    text = _text_of(part)
    if part.get_content_subtype() == "html":
        html.add_html(text, outline)
    else:
        outline.lines(text)


def _text_of(part: EmailMessage) -> str:
    payload = part.get_payload(decode=True)
    if not isinstance(payload, bytes):
        return ""
    name = part.get_content_charset("")
    try:
        return payload.decode(name) if name else charset.decode(payload)
    except (LookupError, UnicodeDecodeError):
        return charset.decode(payload)


def _attachments(message: EmailMessage) -> Iterator[EmailMessage]:
    body = message.get_body(preferencelist=("plain", "html"))
    for part in message.walk():
        if part is body or (part.is_multipart() and part.get_content_type() != "message/rfc822"):
            continue
        named = part.get_filename() or part.get_content_disposition() == "attachment"
        if isinstance(part, EmailMessage) and (named or part.get_content_type() == "message/rfc822"):
            yield part


def _attachment(part: EmailMessage, outline: Outline, inner: ParseInner) -> None:
    if part.get_content_type() == "message/rfc822":
        payload: object = part.get_payload(0)
        body = payload.as_bytes() if isinstance(payload, EmailMessage) else b""
    else:
        decoded = part.get_payload(decode=True)
        body = decoded if isinstance(decoded, bytes) else b""
    inner(body, flow(part.get_filename() or ""), part.get_content_type())
