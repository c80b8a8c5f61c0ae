import base64
import secrets

import pytest
from support import ago, eventually, hook, received, refused, unique, verified, walk
from svix.api import EndpointGetStatsOptions, EndpointListOptions
from svix.models import (
    ApplicationIn,
    BulkReplayIn,
    EndpointHeadersIn,
    EndpointHeadersPatchIn,
    EndpointIn,
    EndpointPatch,
    EndpointSecretRotateIn,
    EndpointUpsertIn,
    EventExampleIn,
    EventTypeIn,
    MessageIn,
    MessageStatus,
    Ordering,
    RecoverIn,
    ReplayIn,
    StatusCodeClass,
)

URL = "https://example.com/hook"


def test_an_endpoint_needs_only_a_url(svix, app):
    made = svix.endpoint.create(app.id, EndpointIn(url=URL))
    assert made.id.startswith("ep_")
    assert (made.url, made.disabled, made.description, made.metadata) == (URL, False, "", {})
    assert [made.event_types, made.channels, made.uid, made.throttle_rate] == [None] * 4
    assert svix.endpoint.get(app.id, made.id) == made


def test_an_endpoint_is_created_replaced_patched_and_deleted(svix, app):
    event_type = unique("order").replace("-", ".")
    svix.event_type.create(EventTypeIn(name=event_type, description="An order"))
    made = svix.endpoint.create(
        app.id,
        EndpointIn(
            url=URL,
            uid="main",
            description="The first",
            throttle_rate=5,
            event_types=[event_type],
            channels=["eu"],
            metadata={"a": "1"},
            headers={"X-Color": "red"},
        ),
    )
    assert (made.event_types, made.channels, made.metadata, made.throttle_rate) == ([event_type], ["eu"], {"a": "1"}, 5)
    assert svix.endpoint.get_headers(app.id, "main").headers == {"X-Color": "red"}
    assert refused(409, svix.endpoint.create, app.id, EndpointIn(url=URL, uid="main")).code == "conflict"

    patched = svix.endpoint.patch(app.id, "main", EndpointPatch(disabled=True, event_types=None))
    assert (patched.disabled, patched.event_types, patched.channels) == (True, None, ["eu"])

    replaced = svix.endpoint.upsert(app.id, "main", EndpointUpsertIn(url=URL + "/other", uid="main"))
    assert (replaced.id, replaced.url, replaced.disabled, replaced.channels) == (made.id, URL + "/other", False, None)
    upserted = svix.endpoint.upsert(app.id, "second", EndpointUpsertIn(url=URL, uid="second"))
    assert upserted.uid == "second"

    listed = walk(lambda options: svix.endpoint.list(app.id, options), EndpointListOptions, limit=1)
    assert [e.id for e in listed] == [upserted.id, made.id], "the newest comes first"
    ascending = svix.endpoint.list(app.id, EndpointListOptions(order=Ordering.ASCENDING))
    assert [e.id for e in ascending.data] == [made.id, upserted.id]

    other = svix.application.create(ApplicationIn(name="Other"))
    refused(404, svix.endpoint.get, other.id, made.id)
    svix.endpoint.delete(app.id, made.id)
    refused(404, svix.endpoint.get, app.id, made.id)


@pytest.mark.parametrize(
    "field,fields",
    [
        ("url", {"url": "not a url"}),
        ("eventTypes", {"event_types": ["nobody.knows"]}),
        ("eventTypes", {"event_types": []}),
        ("throttleRate", {"throttle_rate": 0}),
        ("secret", {"secret": "whsec_c2hvcnQ="}),
    ],
)
def test_what_is_wrong_with_an_endpoint_is_said(svix, app, field, fields):
    failure = refused(422, svix.endpoint.create, app.id, EndpointIn(**{"url": URL, **fields}))
    assert failure.detail[0].loc[:2] == ["body", field]


def test_the_secret_is_shown_and_after_a_rotation_both_verify(svix, app, subscribe):
    name, endpoint = subscribe()
    first = svix.endpoint.get_secret(app.id, endpoint.id).key
    assert first.startswith("whsec_")
    key = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
    assert svix.endpoint.rotate_secret(app.id, endpoint.id, EndpointSecretRotateIn(key=key)).key == key
    assert svix.endpoint.get_secret(app.id, endpoint.id).key == key

    message = svix.message.create(app.id, MessageIn(event_type="order.created", payload={"id": "ord_1"}))
    (came,) = received(name)
    assert came["headers"]["webhook-id"] == message.id
    assert verified(first, came) == verified(key, came) == {"id": "ord_1"}

    third = svix.endpoint.rotate_secret(app.id, endpoint.id, EndpointSecretRotateIn(grace_period_seconds=0)).key
    assert third == svix.endpoint.get_secret(app.id, endpoint.id).key != key


def test_custom_headers_are_set_patched_and_sent(svix, app, subscribe):
    name, endpoint = subscribe()
    headers = {"X-Color": "red", "X-Size": "1", "Authorization": "Basic c2VjcmV0"}
    svix.endpoint.set_headers(app.id, endpoint.id, EndpointHeadersIn(headers=headers))
    patch = EndpointHeadersPatchIn(headers={"X-Size": "2"}, delete_headers=["X-Color"])
    svix.endpoint.patch_headers(app.id, endpoint.id, patch)
    shown = svix.endpoint.get_headers(app.id, endpoint.id)
    assert (shown.headers, shown.sensitive) == ({"X-Size": "2"}, ["Authorization"])
    refused(422, svix.endpoint.set_headers, app.id, endpoint.id, EndpointHeadersIn(headers={"Content-Length": "1"}))

    svix.message.create(app.id, MessageIn(event_type="order.created", payload={}))
    (came,) = received(name)
    assert (came["headers"]["x-size"], came["headers"]["authorization"]) == ("2", "Basic c2VjcmV0")
    assert "x-color" not in came["headers"]


def test_an_endpoints_statistics_count_its_attempts(svix, app, subscribe, attempts):
    _, up = subscribe()
    _, down = subscribe("down")
    message = svix.message.create(app.id, MessageIn(event_type="order.created", payload={}))
    attempts(message.id, 4)  # one that is taken, three that are not
    options = EndpointGetStatsOptions(since=ago(hours=1))
    well, ill = (svix.endpoint.get_stats(app.id, endpoint.id, options) for endpoint in (up, down))
    assert (well.success, well.fail) == (1, 0)
    assert (ill.success, ill.fail) == (0, 3)
    refused(400, svix.endpoint.get_stats, app.id, up.id, EndpointGetStatsOptions(since=ago(days=40)))


def test_an_example_goes_to_the_one_endpoint(svix, app, subscribe):
    name, endpoint = subscribe()
    _, other = subscribe()
    message = svix.endpoint.send_example(app.id, endpoint.id, EventExampleIn(event_type="svix.ping"))
    assert message.id.startswith("msg_") and message.event_type == "svix.ping"
    (came,) = received(name)
    assert verified(svix.endpoint.get_secret(app.id, endpoint.id).key, came) == {"success": True}
    assert svix.message_attempt.list_by_endpoint(app.id, other.id).data == []


def test_what_an_endpoint_missed_is_sent_again(svix, app, subscribe, attempts, finished):
    _, endpoint = subscribe("down")
    since = ago(seconds=1)
    message = svix.message.create(app.id, MessageIn(event_type="order.created", payload={}))
    attempts(message.id, 3)
    name = unique("up")
    svix.endpoint.patch(app.id, endpoint.id, EndpointPatch(url=hook(name)))
    task = svix.endpoint.recover(app.id, endpoint.id, RecoverIn(since=since))
    assert task.id.startswith("qtask_") and task.task == "endpoint.recover"
    (came,) = received(name)
    assert came["headers"]["webhook-id"] == message.id
    assert finished(task.id).status == "finished"

    def manual():
        data = svix.message_attempt.list_by_msg(app.id, message.id).data
        return next((attempt for attempt in data if attempt.trigger_type == 1), None)

    assert eventually("the manual attempt", manual).status == 0
    refused(422, svix.endpoint.recover, app.id, endpoint.id, RecoverIn(since=ago(days=30)))


def test_what_an_endpoint_never_got_is_sent_and_what_it_got_is_sent_again(svix, app, subscribe, attempts, finished):
    first, _ = subscribe()
    since = ago(seconds=1)
    message = svix.message.create(app.id, MessageIn(event_type="order.created", payload={}))
    received(first)
    attempts(message.id, 1)
    name, late = subscribe()

    task = svix.endpoint.replay_missing(app.id, late.id, ReplayIn(since=since))
    assert task.id.startswith("qtask_") and task.task == "endpoint.replay"
    (came,) = received(name)
    assert came["headers"]["webhook-id"] == message.id
    ended = finished(task.id)
    assert ended.status == "finished" and ended.data["messagesSent"] == 1

    wanted = BulkReplayIn(since=since, event_types=["order.created"], status=MessageStatus.SUCCESS, status_code_class=StatusCodeClass.CODE2XX)
    bulk = svix.endpoint.bulk_replay(app.id, late.id, wanted)
    assert bulk.task == "endpoint.bulk-replay"
    assert finished(bulk.id).data["messagesSent"] == 1
    assert len(received(name, 2)) == 2
    refused(422, svix.endpoint.bulk_replay, app.id, late.id, BulkReplayIn(since=ago(days=30)))
