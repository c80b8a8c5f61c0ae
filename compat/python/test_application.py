from datetime import timedelta

from support import OWN_APP, OWN_TOKEN, ago, refused, unique, walk
from svix.api import ApplicationListOptions
from svix.models import ApplicationIn, ApplicationPatch, Ordering


def test_an_application_is_created_read_replaced_patched_and_deleted(svix):
    uid = unique("app")
    made = svix.application.create(ApplicationIn(name="Acme", uid=uid, throttle_rate=20, metadata={"plan": "gold"}))
    assert made.id.startswith("app_")
    assert (made.uid, made.throttle_rate, made.metadata) == (uid, 20, {"plan": "gold"})
    assert abs(made.created_at - ago()) < timedelta(minutes=1)
    assert svix.application.get(uid) == made
    assert svix.application.get(made.id) == made

    replaced = svix.application.upsert(uid, ApplicationIn(name="Acme Inc", uid=uid))
    assert (replaced.id, replaced.name, replaced.metadata, replaced.throttle_rate) == (made.id, "Acme Inc", {}, None)

    patched = svix.application.patch(uid, ApplicationPatch(metadata={"plan": "silver"}))
    assert (patched.name, patched.uid, patched.metadata) == ("Acme Inc", uid, {"plan": "silver"})
    assert svix.application.patch(made.id, ApplicationPatch(uid=None)).uid is None
    assert refused(404, svix.application.get, uid).code == "not_found"

    assert svix.application.delete(made.id) is None
    refused(404, svix.application.get, made.id)


def test_an_application_is_created_only_if_it_is_not_there(svix):
    uid = unique("app")
    made = svix.application.get_or_create(ApplicationIn(name="Acme", uid=uid))
    assert svix.application.get_or_create(ApplicationIn(name="Other", uid=uid)) == made
    assert refused(409, svix.application.create, ApplicationIn(name="Other", uid=uid)).code == "conflict"
    assert svix.application.upsert(unique("app"), ApplicationIn(name="New")).id != made.id


def test_applications_are_listed_page_by_page_both_ways(svix):
    made = [svix.application.create(ApplicationIn(name=name)).id for name in ("a", "b", "c")]
    for order, want in ((Ordering.ASCENDING, made), (Ordering.DESCENDING, made[::-1])):
        ids = [listed.id for listed in walk(svix.application.list, ApplicationListOptions, limit=2, order=order)]
        assert [id for id in ids if id in made] == want
        assert len(set(ids)) == len(ids)
    first = svix.application.list(ApplicationListOptions(limit=2))
    second = svix.application.list(ApplicationListOptions(limit=2, iterator=first.iterator))
    assert svix.application.list(ApplicationListOptions(limit=2, iterator=second.prev_iterator)).data == first.data
    assert not first.done


def test_bad_input_is_refused_with_the_place_of_what_is_wrong(svix):
    (problem,) = refused(422, svix.application.create, ApplicationIn(name="Acme", uid="not a uid")).detail
    assert problem.loc == ["body", "uid"] and problem.msg and problem.type
    refused(422, svix.application.list, ApplicationListOptions(limit=251))
    refused(422, svix.application.list, ApplicationListOptions(iterator="app_garbage"))


def test_a_token_opens_what_it_is_for_and_nothing_else(svix, app):
    own = svix.with_token(OWN_TOKEN)
    assert own.application.get(OWN_APP).uid == OWN_APP
    assert refused(403, own.application.list).code == "insufficient access"
    assert refused(404, own.application.get, app.id).code == "not_found"
    failure = refused(401, svix.with_token("garbage").application.get, OWN_APP)
    assert (failure.code, failure.detail) == ("authentication_failed", "Invalid token")


def test_the_server_is_well(svix):
    assert svix.health.get() is None
