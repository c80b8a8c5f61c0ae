import { test } from "node:test";
import { assert, newApp, newPoller, refused, svix } from "./support.mjs";

test("a customer fetches messages instead of being sent them", async () => {
  const app = await newApp();
  const sink = await newPoller(app.id);
  const ids = [];
  for (const n of [1, 2, 3]) ids.push((await svix.message.create(app.id, { eventType: "order.created", payload: { n }, channels: [`c${n}`] })).id);

  const first = await svix.message.poller.poll(app.id, sink, { limit: 2 });
  assert.deepEqual(first.data.map((m) => m.id), ids.slice(0, 2));
  assert.deepEqual(first.data[0].payload, { n: 1 });
  assert.equal(first.data[0].eventType, "order.created");
  assert.equal(first.done, false);
  const rest = await svix.message.poller.poll(app.id, sink, { limit: 2, iterator: first.iterator });
  assert.deepEqual(rest.data.map((m) => m.id), ids.slice(2));
  assert.equal(rest.done, true);
  const none = await svix.message.poller.poll(app.id, sink, { iterator: rest.iterator });
  assert.deepEqual([none.data, none.done], [[], true]);
  const filtered = await svix.message.poller.poll(app.id, sink, { channel: "c2", eventType: "order.created" });
  assert.deepEqual(filtered.data.map((m) => m.id), [ids[1]]);
  await refused(404, svix.message.poller.poll(app.id, "unknown"));
});

test("a consumer has a position of its own", async () => {
  const app = await newApp();
  const sink = await newPoller(app.id);
  const before = new Date(Date.now() - 60_000);
  const { id } = await svix.message.create(app.id, { eventType: "order.created", payload: {} });
  const first = await svix.message.poller.consumerPoll(app.id, sink, "worker");
  assert.deepEqual(first.data.map((m) => m.id), [id]);
  const next = await svix.message.poller.consumerPoll(app.id, sink, "worker", { iterator: first.iterator });
  assert.deepEqual(next.data, []);
  const { iterator } = await svix.message.poller.consumerSeek(app.id, sink, "worker", { after: before });
  assert.ok(iterator);
  const again = await svix.message.poller.consumerPoll(app.id, sink, "worker", { iterator });
  assert.deepEqual(again.data.map((m) => m.id), [id]);
});
