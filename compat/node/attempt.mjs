import { test } from "node:test";
import { assert, attempts, eventually, hook, received, refused, subscribed, svix, unique } from "./support.mjs";

/** A message that one endpoint takes and another, that is down, doesn't. */
async function delivered() {
  const { app, name, endpoint: up } = await subscribed();
  const down = await svix.endpoint.create(app.id, { url: hook(unique("down")) });
  const message = await svix.message.create(app.id, { eventType: "order.created", payload: { id: "ord_1" }, channels: ["eu"] });
  const all = await attempts(app.id, message.id, 4);
  return { app, name, up, down, message, all };
}

test("attempts are listed by message and by endpoint, and read one by one", async () => {
  const { app, up, down, message, all } = await delivered();
  assert.equal(all.length, 4);
  const taken = all.find((attempt) => attempt.endpointId === up.id);
  assert.equal(taken.status, 0);
  assert.equal(taken.statusText, "success");
  assert.equal(taken.responseStatusCode, 200);
  assert.equal(taken.response, "thank you");
  assert.equal(taken.triggerType, 0);
  assert.equal(taken.msgId, message.id);
  assert.equal(taken.url, up.url);
  assert.ok(taken.responseDurationMs >= 0 && taken.timestamp instanceof Date);
  const read = await svix.messageAttempt.get(app.id, message.id, taken.id);
  assert.deepEqual({ ...read, response: taken.response }, taken);

  const byMessage = async (options) => (await svix.messageAttempt.listByMsg(app.id, message.id, options)).data;
  assert.equal((await byMessage({ status: 2 })).length, 3);
  assert.deepEqual((await byMessage({ status: 0 })).map((a) => a.id), [taken.id]);
  assert.equal((await byMessage({ statusCodeClass: 500 })).length, 3);
  assert.equal((await byMessage({ endpointId: down.id })).length, 3);
  assert.deepEqual(await byMessage({ eventTypes: ["order.paid"] }), []);
  assert.equal((await byMessage({ channel: "eu", after: new Date(Date.now() - 3_600_000) })).length, 4);
  assert.equal((await byMessage())[0].response, "", "the response is left out unless it is asked for");

  const byEndpoint = async (options) => (await svix.messageAttempt.listByEndpoint(app.id, down.id, options)).data;
  const failed = await byEndpoint({ status: 2, withContent: true });
  assert.deepEqual(failed.map((a) => [a.statusText, a.responseStatusCode, a.response]), Array(3).fill(["fail", 500, "out of order"]));
  assert.deepEqual(await byEndpoint({ statusCodeClass: 200 }), []);
  const page = await svix.messageAttempt.listByEndpoint(app.id, down.id, { limit: 2 });
  assert.equal(page.done, false);
  const rest = await svix.messageAttempt.listByEndpoint(app.id, down.id, { limit: 2, iterator: page.iterator });
  assert.equal(rest.done, true);
  assert.deepEqual([...page.data, ...rest.data].map((a) => a.id), failed.map((a) => a.id));
  await refused(404, svix.messageAttempt.get(app.id, message.id, "atmpt_00000000000000000000000000"));
});

test("where a message stands with each endpoint, and an endpoint with each message", async () => {
  const { app, up, down, message } = await delivered();
  const destinations = await eventually("the end of the delivery", async () => {
    const { data } = await svix.messageAttempt.listAttemptedDestinations(app.id, message.id);
    return data.every((d) => d.status !== 3) ? data : undefined;
  });
  const byId = Object.fromEntries(destinations.map((d) => [d.id, d]));
  assert.deepEqual([byId[up.id].status, byId[up.id].statusText, byId[up.id].url], [0, "success", up.url]);
  assert.deepEqual([byId[down.id].status, byId[down.id].statusText], [2, "fail"]);
  assert.ok(byId[down.id].nextAttempt == null);

  const messages = async (endpoint, options) => (await svix.messageAttempt.listAttemptedMessages(app.id, endpoint.id, options)).data;
  const [standing] = await messages(up, { status: 0, withContent: true });
  assert.equal(standing.id, message.id);
  assert.equal(standing.statusText, "success");
  assert.deepEqual(standing.payload, { id: "ord_1" });
  assert.deepEqual(standing.channels, ["eu"]);
  assert.deepEqual((await messages(down, { status: 2, channel: "eu", eventTypes: ["order.created"] })).map((m) => m.id), [message.id]);
  assert.deepEqual(await messages(down, { status: 0 }), []);
});

test("a message is sent again by hand", async () => {
  const { app, name, up, message } = await delivered();
  await svix.messageAttempt.resend(app.id, message.id, up.id);
  const came = await received(name, 2);
  assert.equal(came[1].headers["webhook-id"], message.id);
  assert.equal(came[1].body, came[0].body);
  const again = await eventually("the manual attempt", async () =>
    (await svix.messageAttempt.listByMsg(app.id, message.id)).data.find((attempt) => attempt.triggerType === 1));
  assert.equal(again.status, 0);
  await refused(404, svix.messageAttempt.resend(app.id, "unknown", up.id));
});

test("the content of an attempt is expunged", async () => {
  const { app, up, message, all } = await delivered();
  const { id } = all.find((attempt) => attempt.endpointId === up.id);
  await svix.messageAttempt.expungeContent(app.id, message.id, id);
  assert.equal((await svix.messageAttempt.get(app.id, message.id, id)).response, "EXPUNGED");
});
