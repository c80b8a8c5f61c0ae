import { test } from "node:test";
import { assert, client, eventually, newApp, refused, svix, unique } from "./support.mjs";

test("access for a customer is a token for one application", async () => {
  const uid = unique("app");
  await refused(404, svix.authentication.appPortalAccess(uid, {}));
  const { url, token } = await svix.authentication.appPortalAccess(uid, { application: { name: "Fresh", uid }, expiry: 3600 });
  assert.ok(url.includes("://"));
  const customer = client(token);
  assert.equal((await customer.application.get(uid)).name, "Fresh");
  assert.deepEqual((await customer.endpoint.list(uid)).data, []);
  await refused(403, customer.application.list());
  await refused(422, svix.authentication.appPortalAccess(unique("app"), { application: { name: "Fresh", uid: "other" } }));
});

test("access can be limited to reading", async () => {
  const app = await newApp();
  const { token } = await svix.authentication.appPortalAccess(app.id, { readOnly: true });
  const reader = client(token);
  assert.equal((await reader.application.get(app.id)).id, app.id);
  await refused(403, reader.endpoint.create(app.id, { url: "https://example.com" }));
});

test("a customer logs out", async () => {
  const app = await newApp();
  const { token } = await svix.authentication.appPortalAccess(app.id, {});
  const kept = await svix.authentication.appPortalAccess(app.id, {});
  await client(token).authentication.logout();
  assert.equal((await refused(401, client(token).application.get(app.id))).code, "authentication_failed");
  assert.equal((await client(kept.token).application.get(app.id)).id, app.id);
});

test("all tokens of an application expire, and those of others don't", async () => {
  const [app, other] = [await newApp(), await newApp()];
  const { token } = await svix.authentication.appPortalAccess(app.id, {});
  const kept = await svix.authentication.appPortalAccess(other.id, {});
  await svix.authentication.expireAll(app.id, { expiry: 0 });
  await eventually("the end of the token", async () =>
    client(token).application.get(app.id).then(() => undefined, (failure) => failure.code === 401 || undefined));
  assert.equal((await client(kept.token).application.get(other.id)).id, other.id);
});
