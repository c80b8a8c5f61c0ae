import { test } from "node:test";
import { messageInRaw, Webhook, WebhookVerificationError } from "svix";
import { assert, finished, newApp, received, refused, subscribed, svix, unique, verified, walk } from "./support.mjs";

const event = (more) => ({ eventType: "order.created", payload: { id: "ord_1", total: 4200 }, ...more });

test("a message is accepted, read, and delivered with a signature that verifies", async () => {
  const { app, name, endpoint } = await subscribed();
  const made = await svix.message.create(app.id, event({ eventId: "evt-1", channels: ["eu"] }), { withContent: true });
  assert.match(made.id, /^msg_/);
  assert.equal(made.eventId, "evt-1");
  assert.deepEqual(made.channels, ["eu"]);
  assert.deepEqual(made.payload, { id: "ord_1", total: 4200 });
  assert.ok(made.timestamp instanceof Date);
  assert.deepEqual((await svix.message.get(app.id, "evt-1", { withContent: true })).payload, made.payload);
  assert.equal((await svix.message.get(app.id, made.id)).id, made.id);
  assert.equal((await refused(409, svix.message.create(app.id, event({ eventId: "evt-1" })))).code, "conflict");
  const bare = await svix.message.create(app.id, event());
  assert.deepEqual(bare.payload, {}, "the client leaves the content out unless asked");

  const [{ headers, body }] = await received(name, 2);
  const { key } = await svix.endpoint.getSecret(app.id, endpoint.id);
  const webhook = new Webhook(key);
  assert.deepEqual(verified(key, { headers, body }), { id: "ord_1", total: 4200 });
  const asSvix = Object.fromEntries(["id", "timestamp", "signature"].map((part) => [`svix-${part}`, headers[`webhook-${part}`]]));
  webhook.verify(body, asSvix);
  assert.throws(() => webhook.verify(body.replace("4200", "1"), headers), WebhookVerificationError);
  assert.throws(() => webhook.verify(body, { ...headers, "webhook-timestamp": "1600000000" }), WebhookVerificationError);
  const at = new Date(1000 * headers["webhook-timestamp"]);
  assert.ok(headers["webhook-signature"].split(" ").includes(webhook.sign(headers["webhook-id"], at, body)));
});

test("messages are listed by channel, event type and time", async () => {
  const app = await newApp();
  const ids = [];
  for (const more of [{ channels: ["eu"] }, { eventType: "order.paid" }, { channels: ["us", "eu"] }]) {
    ids.push((await svix.message.create(app.id, event(more))).id);
  }
  const list = async (options) => (await walk((o) => svix.message.list(app.id, o), { limit: 2, ...options })).map((m) => m.id);
  assert.deepEqual(await list(), ids.toReversed());
  assert.deepEqual(await list({ channel: "eu" }), [ids[2], ids[0]]);
  assert.deepEqual(await list({ eventTypes: ["order.paid", "order.unknown"] }), [ids[1]]);
  assert.deepEqual(await list({ before: new Date(Date.now() - 3_600_000) }), []);
  assert.deepEqual(await list({ after: new Date(Date.now() - 3_600_000), limit: 250 }), ids.toReversed());
  assert.deepEqual(await list({ after: new Date(Date.now() + 60_000) }), []);
  const { data } = await svix.message.list(app.id, { withContent: true });
  assert.deepEqual(data[0].payload, { id: "ord_1", total: 4200 });
  assert.deepEqual((await svix.message.list(app.id)).data[0].payload, {});
});

test("a message brings its application along", async () => {
  const uid = unique("app");
  await svix.message.create(uid, event({ application: { name: "Fresh", uid } }));
  assert.equal((await svix.application.get(uid)).name, "Fresh");
  await refused(422, svix.message.create(unique("app"), event({ application: { name: "Fresh", uid: "other" } })));
  await refused(404, svix.message.create(unique("app"), event()));
});

test("a repeated request with the same key makes one message", async () => {
  const app = await newApp();
  const idempotencyKey = unique("key");
  const first = await svix.message.create(app.id, event(), { idempotencyKey });
  const second = await svix.message.create(app.id, event(), { idempotencyKey });
  assert.equal(second.id, first.id);
  assert.equal((await svix.message.list(app.id)).data.length, 1);
});

test("messages are found by their tags", async () => {
  const app = await newApp();
  const made = await svix.message.create(app.id, event({ tags: ["red", "big"] }));
  await svix.message.create(app.id, event());
  assert.deepEqual(made.tags, ["red", "big"]);
  const { data } = await svix.message.list(app.id, { tag: "red" });
  assert.deepEqual(data.map((m) => m.id), [made.id]);
});

test("a raw payload arrives byte for byte", async () => {
  const { app, name, endpoint } = await subscribed();
  const raw = '{ "a":1.0,\n "a": 2 }';
  await svix.message.create(app.id, messageInRaw("order.created", raw));
  const [came] = await received(name);
  assert.equal(came.body, raw);
  const { key } = await svix.endpoint.getSecret(app.id, endpoint.id);
  verified(key, came);
});

test("whether anybody would get a message is known beforehand", async () => {
  const { app } = await subscribed({ channels: ["eu"] });
  assert.deepEqual(await svix.message.precheck(app.id, { eventType: "order.created", channels: ["eu"] }), { active: true });
  assert.deepEqual(await svix.message.precheck(app.id, { eventType: "order.created", channels: ["us"] }), { active: false });
});

test("a message's content is expunged", async () => {
  const { app } = await subscribed();
  const { id } = await svix.message.create(app.id, event());
  await svix.message.expungeContent(app.id, id);
  assert.deepEqual((await svix.message.get(app.id, id, { withContent: true })).payload, { expired: true });
  await refused(404, svix.message.expungeContent(app.id, "unknown"));
});

test("the contents of many messages are expunged, with a result for each", async () => {
  const app = await newApp();
  const { id } = await svix.message.create(app.id, event());
  const kept = await svix.message.create(app.id, event());
  await svix.message.create(app.id, event({ eventId: "evt-2" }));
  const { results } = await svix.message.bulkExpungeContent(app.id, { ids: [id, "evt-2", "unknown"] });
  assert.deepEqual(Object.keys(results).sort(), [id, "evt-2", "unknown"].sort());
  assert.equal(results[id], results["evt-2"]);
  assert.notEqual(results[id], results.unknown);
  for (const gone of [id, "evt-2"]) assert.deepEqual((await svix.message.get(app.id, gone, { withContent: true })).payload, { expired: true });
  assert.deepEqual((await svix.message.get(app.id, kept.id, { withContent: true })).payload, event().payload);
});

test("all contents of an application are expunged", async () => {
  const app = await newApp();
  const { id } = await svix.message.create(app.id, event());
  const task = await svix.message.expungeAllContents(app.id);
  assert.equal(task.task, "application.purge_content");
  assert.equal((await finished(task.id)).status, "finished");
  assert.deepEqual((await svix.message.get(app.id, id, { withContent: true })).payload, { expired: true });
});

test("what is wrong with a message is said", async () => {
  const app = await newApp();
  const wrong = async (more) => (await refused(422, svix.message.create(app.id, event(more)))).detail[0].loc.join(".");
  assert.match(await wrong({ eventType: "" }), /^body\.eventType/);
  assert.match(await wrong({ payload: "text" }), /^body\.payload/);
  assert.match(await wrong({ channels: [] }), /^body\.channels/);
});
