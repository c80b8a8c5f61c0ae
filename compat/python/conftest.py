from datetime import datetime, timezone

import pytest
from support import Client, eventually, hook, unique
from svix.api import MessageAttemptListByMsgOptions
from svix.models import ApplicationIn, EndpointIn


@pytest.fixture(params=list(Client.kinds))
def svix(request):
    """Each test runs with the synchronous and with the asynchronous client."""
    return Client(request.param)


@pytest.fixture
def app(svix):
    return svix.application.create(ApplicationIn(name="Acme", uid=unique("app")))


@pytest.fixture
def subscribe(svix, app):
    """Makes endpoints at receivers: subscribe() returns the name of the receiver and the endpoint."""

    def make(word="up", **fields):
        name = unique(word)
        return name, svix.endpoint.create(app.id, EndpointIn(url=hook(name), **fields))

    return make


@pytest.fixture
def attempts(svix, app):
    """Returns the attempts of a message once it is n."""

    def wait(message_id, n):
        def look():
            data = svix.message_attempt.list_by_msg(app.id, message_id, MessageAttemptListByMsgOptions(with_content=True)).data
            return data if len(data) >= n else None

        return eventually(f"{n} attempts", look)

    return wait


@pytest.fixture
def finished(svix):
    """Returns a background task once it has ended."""

    def wait(task_id):
        def look():
            task = svix.background_task.get(task_id)
            return task if task.status != "running" else None

        return eventually(f"the end of {task_id}", look)

    return wait


def pytest_collection_modifyitems(items):
    """What was called is known when all other tests have run."""
    items.sort(key=lambda item: item.path.name == "test_coverage.py")
