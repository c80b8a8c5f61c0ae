// What all tests of the suite use: a client that remembers which methods were called, and the other end of deliveries.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { ApiException, Svix, Webhook } from "svix";

const env = (name) => {
  const value = process.env[name];
  assert.ok(value !== undefined, `${name} is not set: run the suite with "go test ./compat"`);
  return value;
};

export const prefix = env("COMPAT_NAME");
export const url = env("COMPAT_URL");
export const token = env("COMPAT_TOKEN");
export const ownApp = env("COMPAT_APP");
export const ownToken = env("COMPAT_APP_TOKEN");
const receiver = env("COMPAT_RECEIVER");

export const table = JSON.parse(readFileSync(new URL("methods.json", import.meta.url)));
export const called = new Set();

/** Wraps a resource such that the calls of its methods are remembered by their path. */
function watched(resource, path) {
  return new Proxy(resource, {
    get(target, name) {
      const value = target[name];
      const there = path ? `${path}.${String(name)}` : String(name);
      if (typeof value === "function") {
        return (...args) => {
          called.add(there);
          return value.apply(target, args);
        };
      }
      return value !== null && typeof value === "object" ? watched(value, there) : value;
    },
  });
}

export const client = (bearer) => watched(new Svix(bearer, { serverUrl: url }), "");
export const svix = client(token);

let serial = 0;
/** A name that nothing else has. */
export const unique = (word) => `${word}-${prefix}-${process.pid}-${++serial}`;

export const newApp = () => svix.application.create({ name: "Acme", uid: unique("app") });

/** The address of a receiver; "down" ones answer 500. */
export const hook = (name) => `${receiver}/hook/${name}`;

/** What came to a receiver, once it is n webhooks. */
export async function received(name, n = 1) {
  const response = await fetch(`${receiver}/received/${name}?n=${n}`);
  const came = await response.json();
  assert.ok(response.ok, `${came.length} of ${n} webhooks came to ${name}`);
  return came;
}

/** Verifies a webhook with the SDK, and returns its payload. */
export function verified(secret, { headers, body }) {
  new Webhook(secret).verify(body, headers);
  return JSON.parse(body);
}

/** Makes an application with one endpoint at a receiver. */
export async function subscribed({ down = false, ...endpoint } = {}) {
  const app = await newApp();
  const name = unique(down ? "down" : "up");
  return { app, name, endpoint: await svix.endpoint.create(app.id, { url: hook(name), ...endpoint }) };
}

/** Makes a poller, for which the SDK has no method, and returns its id. */
export async function newPoller(appId) {
  const response = await fetch(`${url}/api/v1/app/${appId}/poller`, {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: "{}",
  });
  const poller = await response.json();
  assert.equal(response.status, 201, JSON.stringify(poller));
  return poller.id;
}

/** Calls look until it returns something other than undefined, for at most a minute. */
export async function eventually(what, look) {
  for (const end = Date.now() + 60_000; Date.now() < end; ) {
    const found = await look();
    if (found !== undefined) return found;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  assert.fail(`waited in vain for ${what}`);
}

/** The attempts of a message, once it is n. */
export const attempts = (appId, messageId, n) =>
  eventually(`${n} attempts`, async () => {
    const { data } = await svix.messageAttempt.listByMsg(appId, messageId, { withContent: true });
    return data.length >= n ? data : undefined;
  });

/** The task's final state. */
export const finished = (taskId) =>
  eventually(`the end of ${taskId}`, async () => {
    const task = await svix.backgroundTask.get(taskId);
    return task.status === "running" ? undefined : task;
  });

/** Checks that a call is refused, and returns the body of the refusal. */
export async function refused(status, call) {
  const failure = await call.then(
    () => assert.fail("the call was not refused"),
    (reason) => reason,
  );
  assert.ok(failure instanceof ApiException, failure);
  assert.equal(failure.code, status, JSON.stringify(failure.body));
  return failure.body;
}

/** Walks a list page by page. */
export async function walk(list, options) {
  const all = [];
  for (let iterator; ; ) {
    const page = await list({ ...options, iterator });
    all.push(...page.data);
    if (page.done) return all;
    iterator = page.iterator;
  }
}

export { assert };
