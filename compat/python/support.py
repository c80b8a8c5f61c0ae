"""What all tests use: clients that remember which methods were called, and the other end of deliveries."""

import asyncio
import inspect
import itertools
import json
import os
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

import httpx
import pytest
from svix.api import Svix, SvixAsync, SvixOptions
from svix.exceptions import HttpError, HTTPValidationError
from svix.webhooks import Webhook

PREFIX = os.environ["COMPAT_NAME"]
URL = os.environ["COMPAT_URL"]
TOKEN = os.environ["COMPAT_TOKEN"]
OWN_APP = os.environ["COMPAT_APP"]
OWN_TOKEN = os.environ["COMPAT_APP_TOKEN"]
RECEIVER = os.environ["COMPAT_RECEIVER"]
PATIENCE = 60  # seconds

TABLE = json.loads((Path(__file__).parent / "methods.json").read_text())

_serial = itertools.count(1)


class Client:
    """The synchronous client, or the asynchronous one with its calls awaited. Both have the same methods."""

    kinds = {"sync": Svix, "async": SvixAsync}
    called = {"sync": set(), "async": set()}
    _loop = asyncio.new_event_loop()

    def __init__(self, kind, token=TOKEN):
        self.kind = kind
        self._resource = self.kinds[kind](token, SvixOptions(server_url=URL))
        self._path = ""

    def with_token(self, token):
        return Client(self.kind, token)

    def __getattr__(self, name):
        value = getattr(self._resource, name)
        path = f"{self._path}.{name}" if self._path else name
        if not inspect.ismethod(value):
            inner = Client.__new__(Client)
            inner.kind, inner._resource, inner._path = self.kind, value, path
            return inner

        def call(*args, **kwargs):
            self.called[self.kind].add(path)
            result = value(*args, **kwargs)
            return self._loop.run_until_complete(result) if inspect.isawaitable(result) else result

        return call


def unique(word):
    """A name that nothing else has."""
    return f"{word}-{PREFIX}-{os.getpid()}-{next(_serial)}"


def ago(**kwargs):
    return datetime.now(timezone.utc) - timedelta(**kwargs)


def hook(name):
    """The address of a receiver; "down" ones answer 500."""
    return f"{RECEIVER}/hook/{name}"


def received(name, n=1):
    """What came to a receiver, once it is n webhooks."""
    response = httpx.get(f"{RECEIVER}/received/{name}", params={"n": n}, timeout=PATIENCE + 10)
    came = response.json()
    assert response.is_success, f"{len(came)} of {n} webhooks came to {name}"
    return came


def verified(secret, webhook):
    """Verifies a webhook with the SDK, and returns its payload."""
    Webhook(secret).verify(webhook["body"], webhook["headers"])
    return json.loads(webhook["body"])


def eventually(what, look):
    """Calls look until it returns something other than None."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        found = look()
        if found is not None:
            return found
        time.sleep(0.05)
    pytest.fail(f"waited in vain for {what}")


def refused(status, call, *args, **kwargs):
    """Checks that a call is refused, and returns the error."""
    with pytest.raises(HTTPValidationError if status == 422 else HttpError) as caught:
        call(*args, **kwargs)
    assert caught.value.status_code == status, caught.value.to_dict()
    return caught.value


def walk(call, options, **more):
    """Walks a list page by page. Options is the class of its options."""
    items, iterator = [], None
    while True:
        page = call(options(iterator=iterator, **more))
        items += page.data
        if page.done:
            return items
        iterator = page.iterator


def new_poller(app_id):
    """Makes a poller, for which the SDK has no method, and returns its id."""
    response = httpx.post(f"{URL}/api/v1/app/{app_id}/poller", json={}, headers={"authorization": f"Bearer {TOKEN}"})
    assert response.status_code == 201, response.text
    return response.json()["id"]
