import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { assert, attempts, eventually, finished, hook, newApp, received, refused, subscribed, svix, unique, verified, walk } from "./support.mjs";

test("an endpoint needs only a URL", async () => {
  const app = await newApp();
  const made = await svix.endpoint.create(app.id, { url: "https://example.com/hook" });
  assert.match(made.id, /^ep_/);
  assert.equal(made.disabled, false);
  assert.equal(made.description, "");
  assert.deepEqual(made.metadata, {});
  assert.ok(made.eventTypes == null && made.channels == null && made.uid == null && made.throttleRate == null);
  assert.deepEqual(await svix.endpoint.get(app.id, made.id), made);
});

test("an endpoint is created, replaced, patched and deleted", async () => {
  const app = await newApp();
  const eventType = unique("order").replaceAll("-", ".");
  await svix.eventType.create({ name: eventType, description: "An order" });
  const made = await svix.endpoint.create(app.id, {
    url: "https://example.com/hook", uid: "main", description: "The first", throttleRate: 5,
    eventTypes: [eventType], channels: ["eu"], metadata: { a: "1" }, headers: { "X-Color": "red" },
  });
  assert.deepEqual(made.eventTypes, [eventType]);
  assert.deepEqual(made.channels, ["eu"]);
  assert.deepEqual(made.metadata, { a: "1" });
  assert.equal(made.throttleRate, 5);
  assert.deepEqual((await svix.endpoint.getHeaders(app.id, "main")).headers, { "X-Color": "red" });
  assert.equal((await refused(409, svix.endpoint.create(app.id, { url: "https://example.com", uid: "main" }))).code, "conflict");

  const patched = await svix.endpoint.patch(app.id, "main", { disabled: true, eventTypes: null });
  assert.equal(patched.disabled, true);
  assert.ok(patched.eventTypes == null);
  assert.deepEqual(patched.channels, ["eu"], "what a patch doesn't name stays");

  const replaced = await svix.endpoint.upsert(app.id, "main", { url: "https://example.com/other", uid: "main" });
  assert.equal(replaced.id, made.id);
  assert.equal(replaced.url, "https://example.com/other");
  assert.equal(replaced.disabled, false);
  assert.ok(replaced.channels == null);
  const upserted = await svix.endpoint.upsert(app.id, "second", { url: "https://example.com/second", uid: "second" });
  assert.equal(upserted.uid, "second");

  const ids = (await walk((o) => svix.endpoint.list(app.id, o), { limit: 1 })).map((endpoint) => endpoint.id);
  assert.deepEqual(ids, [upserted.id, made.id], "the newest comes first");
  const { data } = await svix.endpoint.list(app.id, { order: "ascending" });
  assert.deepEqual(data.map((endpoint) => endpoint.id), ids.toReversed());

  await refused(404, svix.endpoint.get((await newApp()).id, made.id));
  await svix.endpoint.delete(app.id, made.id);
  await refused(404, svix.endpoint.get(app.id, made.id));
});

test("what is wrong with an endpoint is said", async () => {
  const app = await newApp();
  const wrong = async (input) => (await refused(422, svix.endpoint.create(app.id, input))).detail[0].loc.join(".");
  assert.match(await wrong({ url: "not a url" }), /^body\.url/);
  assert.match(await wrong({ url: "https://example.com", eventTypes: ["nobody.knows"] }), /^body\.eventTypes/);
  assert.match(await wrong({ url: "https://example.com", eventTypes: [] }), /^body\.eventTypes/);
  assert.match(await wrong({ url: "https://example.com", throttleRate: 0 }), /^body\.throttleRate/);
  assert.match(await wrong({ url: "https://example.com", secret: "whsec_c2hvcnQ=" }), /^body\.secret/);
});

test("the secret is shown, and after a rotation both verify", async () => {
  const { app, name, endpoint } = await subscribed();
  const first = await svix.endpoint.getSecret(app.id, endpoint.id);
  assert.match(first.key, /^whsec_/);
  const key = `whsec_${randomBytes(32).toString("base64")}`;
  await svix.endpoint.rotateSecret(app.id, endpoint.id, { key });
  assert.equal((await svix.endpoint.getSecret(app.id, endpoint.id)).key, key);

  const message = await svix.message.create(app.id, { eventType: "order.created", payload: { id: "ord_1" } });
  const [came] = await received(name);
  assert.equal(came.headers["webhook-id"], message.id);
  for (const secret of [first.key, key]) assert.deepEqual(verified(secret, came), { id: "ord_1" });

  await svix.endpoint.rotateSecret(app.id, endpoint.id);
  const third = await svix.endpoint.getSecret(app.id, endpoint.id);
  assert.match(third.key, /^whsec_/);
  assert.notEqual(third.key, key);
});

test("custom headers are set, patched and sent", async () => {
  const { app, name, endpoint } = await subscribed();
  await svix.endpoint.setHeaders(app.id, endpoint.id, { headers: { "X-Color": "red", "X-Size": "1", Authorization: "Basic c2VjcmV0" } });
  await svix.endpoint.patchHeaders(app.id, endpoint.id, { headers: { "X-Size": "2" }, deleteHeaders: ["X-Color"] });
  assert.deepEqual(await svix.endpoint.getHeaders(app.id, endpoint.id), { headers: { "X-Size": "2" }, sensitive: ["Authorization"] });
  await refused(422, svix.endpoint.setHeaders(app.id, endpoint.id, { headers: { "Content-Length": "1" } }));

  await svix.message.create(app.id, { eventType: "order.created", payload: {} });
  const [{ headers }] = await received(name);
  assert.equal(headers["x-size"], "2");
  assert.equal(headers.authorization, "Basic c2VjcmV0");
  assert.equal(headers["x-color"], undefined);
});

test("an endpoint's statistics count its attempts", async () => {
  const { app, endpoint } = await subscribed();
  const down = await svix.endpoint.create(app.id, { url: hook(unique("down")) });
  const message = await svix.message.create(app.id, { eventType: "order.created", payload: {} });
  await attempts(app.id, message.id, 4); // one that is taken, three that are not
  const since = new Date(Date.now() - 3_600_000);
  const well = await svix.endpoint.getStats(app.id, endpoint.id, { since });
  assert.deepEqual([well.success, well.fail], [1, 0]);
  const ill = await svix.endpoint.getStats(app.id, down.id, { since });
  assert.deepEqual([ill.success, ill.fail], [0, 3]);
  await refused(400, svix.endpoint.getStats(app.id, endpoint.id, { since: new Date(Date.now() - 40 * 86_400_000) }));
});

test("an example goes to the one endpoint", async () => {
  const { app, name, endpoint } = await subscribed();
  const other = await svix.endpoint.create(app.id, { url: hook(unique("up")) });
  const message = await svix.endpoint.sendExample(app.id, endpoint.id, { eventType: "svix.ping" });
  assert.match(message.id, /^msg_/);
  assert.equal(message.eventType, "svix.ping");
  const [came] = await received(name);
  const { key } = await svix.endpoint.getSecret(app.id, endpoint.id);
  assert.deepEqual(verified(key, came), { success: true });
  const { data } = await svix.messageAttempt.listByEndpoint(app.id, other.id);
  assert.deepEqual(data, []);
});

test("what an endpoint missed is sent again", async () => {
  const { app, endpoint } = await subscribed({ down: true });
  const since = new Date(Date.now() - 1000);
  const message = await svix.message.create(app.id, { eventType: "order.created", payload: {} });
  await attempts(app.id, message.id, 3);
  const name = unique("up");
  await svix.endpoint.patch(app.id, endpoint.id, { url: hook(name) });
  const task = await svix.endpoint.recover(app.id, endpoint.id, { since });
  assert.match(task.id, /^qtask_/);
  assert.equal(task.task, "endpoint.recover");
  const [{ headers }] = await received(name);
  assert.equal(headers["webhook-id"], message.id);
  assert.equal((await finished(task.id)).status, "finished");
  const again = await eventually("the manual attempt", async () =>
    (await svix.messageAttempt.listByMsg(app.id, message.id)).data.find((attempt) => attempt.triggerType === 1));
  assert.equal(again.status, 0);
  await refused(422, svix.endpoint.recover(app.id, endpoint.id, { since: new Date(Date.now() - 30 * 86_400_000) }));
});

test("what an endpoint never got is sent, and what it got is sent again", async () => {
  const { app, name: first } = await subscribed({});
  const since = new Date(Date.now() - 1000);
  const message = await svix.message.create(app.id, { eventType: "order.created", payload: {} });
  await received(first);
  await attempts(app.id, message.id, 1);
  const name = unique("up");
  const late = await svix.endpoint.create(app.id, { url: hook(name) });

  const task = await svix.endpoint.replayMissing(app.id, late.id, { since });
  assert.equal(task.task, "endpoint.replay");
  const [{ headers }] = await received(name);
  assert.equal(headers["webhook-id"], message.id);
  const ended = await finished(task.id);
  assert.equal(ended.status, "finished");
  assert.equal(ended.data.messagesSent, 1);

  const filter = { since, eventTypes: ["order.created"], status: 0, statusCodeClass: 200 };
  const bulk = await svix.endpoint.bulkReplay(app.id, late.id, filter);
  assert.equal(bulk.task, "endpoint.bulk-replay");
  assert.equal((await finished(bulk.id)).data.messagesSent, 1);
  assert.equal((await received(name, 2)).length, 2);
  await refused(422, svix.endpoint.bulkReplay(app.id, late.id, { since: new Date(Date.now() - 30 * 86_400_000) }));
});
