"""An event as a webhook posts it: CloudEvents 1.0 in structured JSON, signed by the Standard Webhooks scheme.

Counterpart: a receiver, who checks the signature with the secret that `POST /v1/webhooks` showed once.
"""

import base64
import hashlib
import hmac
import json
import secrets
from datetime import UTC, datetime

from gateway.domain.events import StoredEvent

CONTENT_TYPE = "application/cloudevents+json"
SECRET_PREFIX = "whsec_"  # noqa: S105  # what Standard Webhooks begins every secret with
SECRET_BYTES = 32
TYPE_PREFIX = "id.112."


def new_secret() -> str:
    """A secret of a webhook, as Standard Webhooks writes it: the prefix, then base64."""
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def event_id(centre: str, stored: StoredEvent) -> str:
    """The same for each try of one event, so that a receiver can tell a repeat."""
    return f"{centre}-{stored.seq}"


def envelope(centre: str, stored: StoredEvent) -> bytes:
    """The event as structured-mode JSON (CloudEvents 1.0, JSON event format, section 3); its number is the extension
    `sequence`."""
    event = stored.event
    attributes: dict[str, object] = {
        "specversion": "1.0",
        "id": event_id(centre, stored),
        "source": f"/gateway112/{centre}",
        "type": TYPE_PREFIX + event.type,
        "time": event.at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "sequence": str(stored.seq),
        "datacontenttype": "application/json",
    }
    if event.call_id is not None:
        attributes["subject"] = event.call_id
    attributes["data"] = dict(event.data)
    return json.dumps(attributes, ensure_ascii=False, separators=(",", ":")).encode()


def signed(secret: str, message_id: str, at: datetime, body: bytes) -> dict[str, str]:
    """The three headers of Standard Webhooks for one try of a post."""
    timestamp = str(int(at.timestamp()))
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
    mac = hmac.new(key, b".".join((message_id.encode(), timestamp.encode(), body)), hashlib.sha256)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": "v1," + base64.b64encode(mac.digest()).decode(),
    }
