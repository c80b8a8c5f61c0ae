from support import refused, unique, walk
from svix.api import EventTypeDeleteOptions, EventTypeListOptions
from svix.models import EventTypeImportOpenApiIn, EventTypeIn, EventTypePatch, EventTypeUpsertIn

SCHEMA = {"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"]}


def named():
    return unique("type").replace("-", ".")


def test_an_event_type_is_created_read_replaced_patched_archived_and_expunged(svix):
    name = named()
    made = svix.event_type.create(EventTypeIn(name=name, description="An order", schemas={"1": SCHEMA}))
    assert (made.name, made.archived, made.deprecated, made.schemas) == (name, False, False, {"1": SCHEMA})
    assert svix.event_type.get(name) == made
    again = EventTypeIn(name=name, description="Again")
    assert refused(409, svix.event_type.create, again).code == "event_type_exists"
    refused(422, svix.event_type.create, EventTypeIn(name=named(), description="Bad", schemas={"1": {"type": 42}}))

    patched = svix.event_type.patch(name, EventTypePatch(deprecated=True))
    assert (patched.deprecated, patched.description, patched.schemas) == (True, "An order", {"1": SCHEMA})
    replaced = svix.event_type.upsert(name, EventTypeUpsertIn(description="Replaced", schemas={"1": SCHEMA}))
    assert (replaced.description, replaced.deprecated) == ("Replaced", False)
    assert svix.event_type.upsert(named(), EventTypeUpsertIn(description="New")).description == "New"

    def listed(**options):
        found = walk(svix.event_type.list, EventTypeListOptions, limit=250, **options)
        return next((event_type for event_type in found if event_type.name == name), None)

    assert listed().schemas is None, "schemas are left out unless they are asked for"
    assert listed(with_content=True).schemas == {"1": SCHEMA}

    svix.event_type.delete(name)
    assert listed() is None
    assert listed(include_archived=True).archived
    assert not svix.event_type.create(EventTypeIn(name=name, description="Back")).archived
    svix.event_type.delete(name, EventTypeDeleteOptions(expunge=True))
    refused(404, svix.event_type.get, name)


def test_an_event_type_has_a_group_and_feature_flags(svix):
    name = named()
    made = svix.event_type.create(
        EventTypeIn(name=name, description="Hidden", group_name="orders", feature_flags=["beta"])
    )
    assert (made.group_name, made.feature_flags) == ("orders", ["beta"])
    patched = svix.event_type.patch(name, EventTypePatch(group_name=None, feature_flags=None))
    assert patched.group_name is None and not patched.feature_flags


def test_event_types_are_imported_from_the_webhooks_of_an_openapi_document(svix):
    name = named()
    body = {"content": {"application/json": {"schema": SCHEMA}}}
    post = {"description": "An order", "requestBody": body, "responses": {"200": {"description": "Taken"}}}
    spec = {"openapi": "3.1.0", "info": {"title": "Shop", "version": "1"}, "webhooks": {name: {"post": post}}}
    tried = svix.event_type.import_openapi(EventTypeImportOpenApiIn(spec=spec, dry_run=True))
    assert [event_type.name for event_type in tried.data.to_modify] == [name]
    refused(404, svix.event_type.get, name)
    assert svix.event_type.import_openapi(EventTypeImportOpenApiIn(spec=spec)).data.modified == [name]
    made = svix.event_type.get(name)
    assert made.description == "An order"
    (schema,) = made.schemas.values()
    assert schema["required"] == ["id"]
    refused(422, svix.event_type.import_openapi, EventTypeImportOpenApiIn(spec_raw="neither JSON nor: [YAML"))
