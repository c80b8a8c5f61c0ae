from datetime import datetime, timedelta, timezone

import pytest
from support import ago, received, refused, unique, verified, walk
from svix.api import MessageCreateOptions, MessageGetOptions, MessageListOptions
from svix.models import ApplicationIn, BulkExpungeContentsIn, MessageIn, MessagePrecheckIn
from svix.webhooks import Webhook, WebhookVerificationError

try:
    from svix.api import message_in_raw
except ImportError:
    from svix.api.message import message_in_raw

PAYLOAD = {"id": "ord_1", "total": 4200}
EXPIRED = {"expired": True}


def event(**fields):
    return MessageIn(**{"event_type": "order.created", "payload": PAYLOAD, **fields})


@pytest.fixture
def payload(svix, app):
    """Returns the payload of a message as it is now."""
    return lambda id: svix.message.get(app.id, id, MessageGetOptions(with_content=True)).payload


def test_a_message_is_accepted_read_and_delivered_with_a_signature_that_verifies(svix, app, subscribe, payload):
    name, endpoint = subscribe()
    made = svix.message.create(
        app.id, event(event_id="evt-1", channels=["eu"]), MessageCreateOptions(with_content=True)
    )
    assert made.id.startswith("msg_")
    assert (made.event_id, made.channels, made.payload) == ("evt-1", ["eu"], PAYLOAD)
    assert abs(made.timestamp - ago()) < timedelta(minutes=1)
    assert payload("evt-1") == PAYLOAD
    assert svix.message.get(app.id, made.id).id == made.id
    assert refused(409, svix.message.create, app.id, event(event_id="evt-1")).code == "conflict"

    (came,) = received(name)
    key = svix.endpoint.get_secret(app.id, endpoint.id).key
    assert verified(key, came) == PAYLOAD
    headers = came["headers"]
    as_svix = {f"svix-{part}": headers[f"webhook-{part}"] for part in ("id", "timestamp", "signature")}
    webhook = Webhook(key)
    webhook.verify(came["body"], as_svix)
    with pytest.raises(WebhookVerificationError):
        webhook.verify(came["body"].replace("4200", "1"), headers)
    with pytest.raises(WebhookVerificationError):
        webhook.verify(came["body"], {**headers, "webhook-timestamp": "1600000000"})
    at = datetime.fromtimestamp(int(headers["webhook-timestamp"]), timezone.utc)
    assert webhook.sign(headers["webhook-id"], at, came["body"]) in headers["webhook-signature"].split(" ")


def test_the_content_is_left_out_unless_it_is_asked_for(svix, app, payload):
    made = svix.message.create(app.id, event())
    assert made.payload == {}
    assert svix.message.list(app.id).data[0].payload == {}
    assert svix.message.list(app.id, MessageListOptions(with_content=True)).data[0].payload == PAYLOAD
    assert payload(made.id) == PAYLOAD


def test_messages_are_listed_by_channel_event_type_and_time(svix, app):
    made = [event(channels=["eu"]), event(event_type="order.paid"), event(channels=["us", "eu"])]
    ids = [svix.message.create(app.id, message).id for message in made]

    def listed(limit=2, **options):
        found = walk(lambda o: svix.message.list(app.id, o), MessageListOptions, limit=limit, **options)
        return [message.id for message in found]

    assert listed() == ids[::-1]
    assert listed(channel="eu") == [ids[2], ids[0]]
    assert listed(event_types=["order.paid", "order.unknown"]) == [ids[1]]
    assert listed(before=ago(hours=1)) == []
    assert listed(after=ago(hours=1), limit=250) == ids[::-1]


def test_a_message_brings_its_application_along(svix):
    uid = unique("app")
    svix.message.create(uid, event(application=ApplicationIn(name="Fresh", uid=uid)))
    assert svix.application.get(uid).name == "Fresh"
    mismatch = event(application=ApplicationIn(name="Fresh", uid="other"))
    refused(422, svix.message.create, unique("app"), mismatch)
    refused(404, svix.message.create, unique("app"), event())


def test_a_repeated_request_with_the_same_key_makes_one_message(svix, app):
    options = MessageCreateOptions(idempotency_key=unique("key"))
    first, second = (svix.message.create(app.id, event(), options) for _ in range(2))
    assert first.id == second.id
    assert len(svix.message.list(app.id).data) == 1


def test_messages_are_found_by_their_tags(svix, app):
    made = svix.message.create(app.id, event(tags=["red", "big"]))
    svix.message.create(app.id, event())
    assert made.tags == ["red", "big"]
    assert [message.id for message in svix.message.list(app.id, MessageListOptions(tag="red")).data] == [made.id]


def test_a_raw_payload_arrives_byte_for_byte(svix, app, subscribe):
    name, endpoint = subscribe()
    raw = '{ "a":1.0,\n "a": 2 }'
    svix.message.create(app.id, message_in_raw("order.created", raw))
    (came,) = received(name)
    assert came["body"] == raw
    verified(svix.endpoint.get_secret(app.id, endpoint.id).key, came)


def test_whether_anybody_would_get_a_message_is_known_beforehand(svix, app, subscribe):
    subscribe(channels=["eu"])
    for channel, active in (("eu", True), ("us", False)):
        precheck = MessagePrecheckIn(event_type="order.created", channels=[channel])
        assert svix.message.precheck(app.id, precheck).active is active


def test_a_messages_content_is_expunged(svix, app, payload):
    made = svix.message.create(app.id, event())
    assert svix.message.expunge_content(app.id, made.id) is None
    assert payload(made.id) == EXPIRED
    refused(404, svix.message.expunge_content, app.id, "unknown")


def test_the_contents_of_many_messages_are_expunged_with_a_result_for_each(svix, app, payload):
    gone, kept = (svix.message.create(app.id, event()).id for _ in range(2))
    svix.message.create(app.id, event(event_id="evt-2"))
    results = svix.message.bulk_expunge_content(app.id, BulkExpungeContentsIn(ids=[gone, "evt-2", "unknown"])).results
    assert set(results) == {gone, "evt-2", "unknown"}
    assert results[gone] == results["evt-2"] != results["unknown"]
    assert payload(gone) == payload("evt-2") == EXPIRED
    assert payload(kept) == PAYLOAD


def test_all_contents_of_an_application_are_expunged(svix, app, payload, finished):
    made = svix.message.create(app.id, event())
    task = svix.message.expunge_all_contents(app.id)
    assert task.task == "application.purge_content"
    assert finished(task.id).status == "finished"
    assert payload(made.id) == EXPIRED


@pytest.mark.parametrize("field,fields", [("eventType", {"event_type": ""}), ("channels", {"channels": []})])
def test_what_is_wrong_with_a_message_is_said(svix, app, field, fields):
    failure = refused(422, svix.message.create, app.id, event(**fields))
    assert failure.detail[0].loc[:2] == ["body", field]
