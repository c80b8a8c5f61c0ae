import base64
import secrets

from support import refused, unique, walk
from svix.api import OperationalWebhookEndpointListOptions
from svix.models import (
    OperationalWebhookEndpointHeadersIn,
    OperationalWebhookEndpointIn,
    OperationalWebhookEndpointSecretIn,
    OperationalWebhookEndpointUpsertIn,
)

URL = "https://example.com/hook"


def test_an_endpoint_for_operational_webhooks_is_created_replaced_listed_and_deleted(svix):
    operational = svix.operational_webhook.endpoint
    uid = unique("operational")
    fields = {"url": URL, "uid": uid, "description": "Ours", "event_types": ["endpoint.created"], "metadata": {"a": "1"}}
    made = operational.create(OperationalWebhookEndpointIn(**fields))
    assert made.id.startswith("ep_")
    assert {name: getattr(made, name) for name in fields} == fields
    assert made.disabled is False
    assert operational.get(uid) == made
    assert made in walk(operational.list, OperationalWebhookEndpointListOptions, limit=250)

    replaced = operational.upsert(uid, OperationalWebhookEndpointUpsertIn(url=URL + "/other", uid=uid))
    assert (replaced.id, replaced.url, replaced.event_types) == (made.id, URL + "/other", None)
    refused(422, operational.create, OperationalWebhookEndpointIn(url="not a url"))

    operational.delete(uid)
    refused(404, operational.get, made.id)


def test_an_operational_endpoint_has_a_secret_and_headers(svix):
    operational = svix.operational_webhook.endpoint
    id = operational.create(OperationalWebhookEndpointIn(url=URL)).id
    assert operational.get_secret(id).key.startswith("whsec_")
    key = "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode()
    operational.rotate_secret(id, OperationalWebhookEndpointSecretIn(key=key))
    assert operational.get_secret(id).key == key
    headers = OperationalWebhookEndpointHeadersIn(headers={"X-Color": "red", "Authorization": "secret"})
    operational.set_headers(id, headers)
    shown = operational.get_headers(id)
    assert (shown.headers, shown.sensitive) == ({"X-Color": "red"}, ["Authorization"])
    operational.delete(id)
