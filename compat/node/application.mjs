import { test } from "node:test";
import { assert, client, newApp, ownApp, ownToken, refused, svix, unique, walk } from "./support.mjs";

test("an application is created, read, replaced, patched and deleted", async () => {
  const uid = unique("app");
  const made = await svix.application.create({ name: "Acme", uid, throttleRate: 20, metadata: { plan: "gold" } });
  assert.match(made.id, /^app_/);
  assert.equal(made.uid, uid);
  assert.equal(made.throttleRate, 20);
  assert.deepEqual(made.metadata, { plan: "gold" });
  assert.ok(made.createdAt instanceof Date && Math.abs(Date.now() - made.createdAt) < 60_000);
  assert.deepEqual(await svix.application.get(uid), made);
  assert.deepEqual(await svix.application.get(made.id), made);

  const replaced = await svix.application.upsert(uid, { name: "Acme Inc", uid });
  assert.equal(replaced.id, made.id);
  assert.equal(replaced.name, "Acme Inc");
  assert.deepEqual(replaced.metadata, {});
  assert.ok(replaced.throttleRate == null);

  const patched = await svix.application.patch(uid, { metadata: { plan: "silver" } });
  assert.equal(patched.name, "Acme Inc", "what a patch doesn't name stays");
  assert.equal(patched.uid, uid);
  assert.deepEqual(patched.metadata, { plan: "silver" });
  assert.ok((await svix.application.patch(made.id, { uid: null })).uid == null, "null takes the uid away");
  assert.equal((await refused(404, svix.application.get(uid))).code, "not_found");

  await svix.application.delete(made.id);
  assert.equal((await refused(404, svix.application.get(made.id))).code, "not_found");
});

test("an application is created only if it isn't there", async () => {
  const uid = unique("app");
  const made = await svix.application.getOrCreate({ name: "Acme", uid });
  assert.deepEqual(await svix.application.getOrCreate({ name: "Other", uid }), made);
  assert.equal((await refused(409, svix.application.create({ name: "Other", uid }))).code, "conflict");
  const upserted = await svix.application.upsert(unique("app"), { name: "New" });
  assert.notEqual(upserted.id, made.id);
});

test("applications are listed page by page, both ways", async () => {
  const made = [await newApp(), await newApp(), await newApp()].map((app) => app.id);
  for (const order of ["ascending", "descending"]) {
    const ids = (await walk((o) => svix.application.list(o), { limit: 2, order })).map((app) => app.id);
    const want = order === "ascending" ? made : made.toReversed();
    assert.deepEqual(ids.filter((id) => made.includes(id)), want);
    assert.equal(new Set(ids).size, ids.length);
  }
  const first = await svix.application.list({ limit: 2 });
  const second = await svix.application.list({ limit: 2, iterator: first.iterator });
  const back = await svix.application.list({ limit: 2, iterator: second.prevIterator });
  assert.deepEqual(back.data, first.data);
  assert.equal(first.done, false);
});

test("bad input is refused with the place of what is wrong", async () => {
  const body = await refused(422, svix.application.create({ name: "Acme", uid: "not a uid" }));
  assert.deepEqual(body.detail[0].loc, ["body", "uid"]);
  assert.ok(body.detail[0].msg && body.detail[0].type);
  await refused(422, svix.application.list({ limit: 251 }));
  await refused(422, svix.application.list({ iterator: "app_garbage" }));
});

test("a token opens what it is for and nothing else", async () => {
  const own = client(ownToken);
  const app = await own.application.get(ownApp);
  assert.equal(app.uid, ownApp);
  assert.equal((await refused(403, own.application.list())).code, "insufficient access");
  assert.equal((await refused(404, own.application.get((await newApp()).id))).code, "not_found");
  const body = await refused(401, client("garbage").application.get(ownApp));
  assert.deepEqual([body.code, body.detail], ["authentication_failed", "Invalid token"]);
});

test("the server is well", async () => {
  assert.equal(await svix.health.get(), undefined);
});
