from support import ago, new_poller, refused
from svix.api import MessagePollerConsumerPollOptions, MessagePollerPollOptions
from svix.models import MessageIn, PollingEndpointConsumerSeekIn


def test_a_customer_fetches_messages_instead_of_being_sent_them(svix, app):
    sink = new_poller(app.id)
    ids = [
        svix.message.create(app.id, MessageIn(event_type="order.created", payload={"n": n}, channels=[f"c{n}"])).id
        for n in (1, 2, 3)
    ]

    def poll(**options):
        page = svix.message.poller.poll(app.id, sink, MessagePollerPollOptions(**options))
        return page, [message.id for message in page.data]

    first, got = poll(limit=2)
    assert (got, first.done) == (ids[:2], False)
    assert (first.data[0].payload, first.data[0].event_type) == ({"n": 1}, "order.created")
    rest, got = poll(limit=2, iterator=first.iterator)
    assert (got, rest.done) == (ids[2:], True)
    none, got = poll(iterator=rest.iterator)
    assert (got, none.done) == ([], True)
    _, got = poll(channel="c2", event_type="order.created")
    assert got == [ids[1]]
    refused(404, svix.message.poller.poll, app.id, "unknown")


def test_a_consumer_has_a_position_of_its_own(svix, app):
    poller = svix.message.poller
    sink = new_poller(app.id)
    message = svix.message.create(app.id, MessageIn(event_type="order.created", payload={}))
    first = poller.consumer_poll(app.id, sink, "worker")
    assert [polled.id for polled in first.data] == [message.id]
    assert poller.consumer_poll(app.id, sink, "worker", MessagePollerConsumerPollOptions(iterator=first.iterator)).data == []
    back = poller.consumer_seek(app.id, sink, "worker", PollingEndpointConsumerSeekIn(after=ago(minutes=1)))
    again = poller.consumer_poll(app.id, sink, "worker", MessagePollerConsumerPollOptions(iterator=back.iterator))
    assert [polled.id for polled in again.data] == [message.id]
