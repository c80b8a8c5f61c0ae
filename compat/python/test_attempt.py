from types import SimpleNamespace

import pytest
from support import ago, eventually, received, refused
from svix.api import (
    MessageAttemptListAttemptedDestinationsOptions,
    MessageAttemptListAttemptedMessagesOptions,
    MessageAttemptListByEndpointOptions,
    MessageAttemptListByMsgOptions,
)
from svix.models import MessageIn, MessageStatus, StatusCodeClass


@pytest.fixture
def delivered(svix, app, subscribe, attempts):
    """A message that one endpoint takes and another, that is down, doesn't."""
    name, up = subscribe()
    _, down = subscribe("down")
    message = svix.message.create(
        app.id, MessageIn(event_type="order.created", payload={"id": "ord_1"}, channels=["eu"])
    )
    everything = attempts(message.id, 4)
    taken = next(attempt for attempt in everything if attempt.endpoint_id == up.id)
    return SimpleNamespace(name=name, up=up, down=down, message=message, all=everything, taken=taken)


def test_attempts_are_listed_by_message_and_by_endpoint_and_read_one_by_one(svix, app, delivered):
    d, taken = delivered, delivered.taken
    assert len(d.all) == 4
    assert (taken.status, taken.status_text, taken.response_status_code) == (0, "success", 200)
    assert (taken.response, taken.trigger_type, taken.msg_id, taken.url) == ("thank you", 0, d.message.id, d.up.url)
    assert taken.response_duration_ms >= 0
    assert svix.message_attempt.get(app.id, d.message.id, taken.id).id == taken.id

    def by_message(**options):
        return svix.message_attempt.list_by_msg(app.id, d.message.id, MessageAttemptListByMsgOptions(**options)).data

    assert len(by_message(status=MessageStatus.FAIL)) == 3
    assert [attempt.id for attempt in by_message(status=MessageStatus.SUCCESS)] == [taken.id]
    assert len(by_message(status_code_class=StatusCodeClass.CODE5XX)) == 3
    assert len(by_message(endpoint_id=d.down.id)) == 3
    assert by_message(event_types=["order.paid"]) == []
    assert len(by_message(channel="eu", after=ago(hours=1))) == 4
    assert by_message()[0].response == "", "the response is left out unless it is asked for"

    def by_endpoint(**options):
        options = MessageAttemptListByEndpointOptions(**options)
        return svix.message_attempt.list_by_endpoint(app.id, d.down.id, options)

    failed = by_endpoint(status=MessageStatus.FAIL, with_content=True).data
    shown = [(a.status_text, a.response_status_code, a.response) for a in failed]
    assert shown == [("fail", 500, "out of order")] * 3
    assert by_endpoint(status_code_class=StatusCodeClass.CODE2XX).data == []
    page = by_endpoint(limit=2)
    rest = by_endpoint(limit=2, iterator=page.iterator)
    assert (page.done, rest.done) == (False, True)
    assert [attempt.id for attempt in page.data + rest.data] == [attempt.id for attempt in failed]
    refused(404, svix.message_attempt.get, app.id, d.message.id, "atmpt_00000000000000000000000000")


def test_where_a_message_stands_with_each_endpoint_and_an_endpoint_with_each_message(svix, app, delivered):
    d = delivered

    def settled():
        options = MessageAttemptListAttemptedDestinationsOptions(limit=10)
        data = svix.message_attempt.list_attempted_destinations(app.id, d.message.id, options).data
        return {e.id: e for e in data} if all(e.status != MessageStatus.SENDING for e in data) else None

    destinations = eventually("the end of the delivery", settled)
    up, down = destinations[d.up.id], destinations[d.down.id]
    assert (up.status, up.status_text, up.url) == (0, "success", d.up.url)
    assert (down.status, down.status_text, down.next_attempt) == (2, "fail", None)

    def messages(endpoint, **options):
        options = MessageAttemptListAttemptedMessagesOptions(**options)
        return svix.message_attempt.list_attempted_messages(app.id, endpoint.id, options).data

    (standing,) = messages(d.up, status=MessageStatus.SUCCESS, with_content=True)
    assert (standing.id, standing.status_text, standing.channels) == (d.message.id, "success", ["eu"])
    assert standing.payload == {"id": "ord_1"}
    (failed,) = messages(d.down, status=MessageStatus.FAIL, channel="eu", event_types=["order.created"])
    assert failed.id == d.message.id
    assert messages(d.down, status=MessageStatus.SUCCESS) == []


def test_a_message_is_sent_again_by_hand(svix, app, delivered):
    d = delivered
    svix.message_attempt.resend(app.id, d.message.id, d.up.id)
    first, second = received(d.name, 2)
    assert second["headers"]["webhook-id"] == d.message.id
    assert second["body"] == first["body"]

    def manual():
        data = svix.message_attempt.list_by_msg(app.id, d.message.id).data
        return next((attempt for attempt in data if attempt.trigger_type == 1), None)

    assert eventually("the manual attempt", manual).status == 0
    refused(404, svix.message_attempt.resend, app.id, "unknown", d.up.id)


def test_the_content_of_an_attempt_is_expunged(svix, app, delivered):
    d = delivered
    svix.message_attempt.expunge_content(app.id, d.message.id, d.taken.id)
    assert svix.message_attempt.get(app.id, d.message.id, d.taken.id).response == "EXPUNGED"
