from support import eventually, refused, unique
from svix.exceptions import HttpError
from svix.models import AppPortalAccessIn, ApplicationIn, ApplicationTokenExpireIn, EndpointIn


def test_access_for_a_customer_is_a_token_for_one_application(svix):
    uid = unique("app")
    refused(404, svix.authentication.app_portal_access, uid, AppPortalAccessIn())
    fresh = AppPortalAccessIn(application=ApplicationIn(name="Fresh", uid=uid), expiry=3600)
    access = svix.authentication.app_portal_access(uid, fresh)
    assert "://" in access.url
    customer = svix.with_token(access.token)
    assert customer.application.get(uid).name == "Fresh"
    assert customer.endpoint.list(uid).data == []
    refused(403, customer.application.list)
    mismatch = AppPortalAccessIn(application=ApplicationIn(name="Fresh", uid="other"))
    refused(422, svix.authentication.app_portal_access, unique("app"), mismatch)


def test_access_can_be_limited_to_reading(svix, app):
    access = svix.authentication.app_portal_access(app.id, AppPortalAccessIn(read_only=True))
    reader = svix.with_token(access.token)
    assert reader.application.get(app.id).id == app.id
    refused(403, reader.endpoint.create, app.id, EndpointIn(url="https://example.com"))


def test_a_customer_logs_out(svix, app):
    left, kept = (
        svix.with_token(svix.authentication.app_portal_access(app.id, AppPortalAccessIn()).token) for _ in range(2)
    )
    assert left.authentication.logout() is None
    assert refused(401, left.application.get, app.id).code == "authentication_failed"
    assert kept.application.get(app.id).id == app.id


def test_all_tokens_of_an_application_expire_and_those_of_others_do_not(svix, app):
    other = svix.application.create(ApplicationIn(name="Other"))
    expired, kept = (
        svix.with_token(svix.authentication.app_portal_access(id, AppPortalAccessIn()).token)
        for id in (app.id, other.id)
    )
    svix.authentication.expire_all(app.id, ApplicationTokenExpireIn(expiry=0))

    def unauthorized():
        try:
            expired.application.get(app.id)
        except HttpError as failure:
            return failure.status_code == 401 or None

    assert eventually("the end of the token", unauthorized)
    assert kept.application.get(other.id).id == other.id
