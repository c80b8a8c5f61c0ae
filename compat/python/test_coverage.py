"""What the SDK has, what the table says about it, and what was called. Runs last."""

import inspect
from importlib.metadata import version

import pytest
from support import TABLE, Client


def methods_of(resource, path=""):
    """The paths of all methods of a client, as in endpoint.transformation.get."""
    for name, value in inspect.getmembers(type(resource)):
        there = f"{path}.{name}" if path else name
        if name.startswith("_"):
            continue
        if isinstance(value, property):
            yield from methods_of(getattr(resource, name), there)
        elif callable(value):
            yield there


def covers(entry, method):
    return method.startswith(entry[:-1]) if entry.endswith(".*") else method == entry


@pytest.mark.parametrize("kind", Client.kinds)
def test_every_method_of_the_sdk_is_in_the_table_and_the_table_has_no_others(kind):
    methods = set(methods_of(Client.kinds[kind]("token")))
    assert len(methods) > 100, "the SDK is no longer built as this test expects"
    excluded = {method for method in methods for entry in TABLE["outOfScope"] if covers(entry, method)}
    exercised = set(TABLE["methods"])
    assert not methods - exercised - excluded, "neither exercised nor out of scope"
    assert not exercised - methods, "exercised, but the SDK has no such method"
    assert not exercised & excluded, "both exercised and out of scope"
    idle = {entry for entry in TABLE["outOfScope"] if not any(covers(entry, method) for method in methods)}
    assert not idle, "out of scope, but the SDK has no such method"


@pytest.mark.parametrize("kind", Client.kinds)
def test_every_method_in_scope_was_called(kind):
    assert not set(TABLE["methods"]) - Client.called[kind]


def test_the_sdk_is_the_version_that_the_table_names():
    assert TABLE["sdk"] == f"svix {version('svix')} from PyPI"
