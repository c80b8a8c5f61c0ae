import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { assert, refused, svix, unique, walk } from "./support.mjs";

test("an endpoint for operational webhooks is created, replaced, listed and deleted", async () => {
  const operational = svix.operationalWebhook.endpoint;
  const uid = unique("operational");
  const made = await operational.create({ url: "https://example.com/hook", uid, description: "Ours", eventTypes: ["endpoint.created"], metadata: { a: "1" } });
  assert.match(made.id, /^ep_/);
  assert.equal(made.uid, uid);
  assert.equal(made.disabled, false);
  assert.deepEqual(made.eventTypes, ["endpoint.created"]);
  assert.deepEqual(made.metadata, { a: "1" });
  assert.deepEqual(await operational.get(uid), made);
  assert.ok((await walk((o) => operational.list(o), { limit: 250 })).some((listed) => listed.id === made.id));

  const replaced = await operational.upsert(uid, { url: "https://example.com/other", uid });
  assert.equal(replaced.id, made.id);
  assert.equal(replaced.url, "https://example.com/other");
  assert.ok(replaced.eventTypes == null);
  await refused(422, operational.create({ url: "not a url" }));

  await operational.delete(uid);
  await refused(404, operational.get(made.id));
});

test("an operational endpoint has a secret and headers", async () => {
  const operational = svix.operationalWebhook.endpoint;
  const { id } = await operational.create({ url: "https://example.com/hook" });
  assert.match((await operational.getSecret(id)).key, /^whsec_/);
  const key = `whsec_${randomBytes(24).toString("base64")}`;
  await operational.rotateSecret(id, { key });
  assert.equal((await operational.getSecret(id)).key, key);
  await operational.setHeaders(id, { headers: { "X-Color": "red", Authorization: "secret" } });
  assert.deepEqual(await operational.getHeaders(id), { headers: { "X-Color": "red" }, sensitive: ["Authorization"] });
  await operational.delete(id);
});
