import { test } from "node:test";
import { assert, refused, svix, unique, walk } from "./support.mjs";

const named = () => unique("type").replaceAll("-", ".");
const schema = { type: "object", properties: { id: { type: "string" } }, required: ["id"] };

test("an event type is created, read, replaced, patched, archived and expunged", async () => {
  const name = named();
  const made = await svix.eventType.create({ name, description: "An order", schemas: { 1: schema } });
  assert.equal(made.name, name);
  assert.equal(made.archived, false);
  assert.equal(made.deprecated, false);
  assert.deepEqual(made.schemas, { 1: schema });
  assert.deepEqual(await svix.eventType.get(name), made);
  assert.equal((await refused(409, svix.eventType.create({ name, description: "Again" }))).code, "event_type_exists");
  await refused(422, svix.eventType.create({ name: named(), description: "Bad", schemas: { 1: { type: 42 } } }));

  const patched = await svix.eventType.patch(name, { deprecated: true });
  assert.equal(patched.deprecated, true);
  assert.equal(patched.description, "An order");
  assert.deepEqual(patched.schemas, { 1: schema });

  const replaced = await svix.eventType.upsert(name, { description: "Replaced" });
  assert.equal(replaced.description, "Replaced");
  assert.equal(replaced.deprecated, false);
  assert.equal((await svix.eventType.upsert(named(), { description: "New" })).description, "New");

  const listed = async (options) => (await walk((o) => svix.eventType.list(o), { limit: 250, ...options })).find((e) => e.name === name);
  await svix.eventType.patch(name, { schemas: { 1: schema } });
  assert.ok((await listed()).schemas == null, "schemas are left out unless they are asked for");
  assert.deepEqual((await listed({ withContent: true })).schemas, { 1: schema });

  await svix.eventType.delete(name);
  assert.equal(await listed(), undefined);
  assert.equal((await listed({ includeArchived: true })).archived, true);
  const back = await svix.eventType.create({ name, description: "Back" });
  assert.equal(back.archived, false);
  await svix.eventType.delete(name, { expunge: true });
  await refused(404, svix.eventType.get(name));
});

test("an event type has a group and feature flags", async () => {
  const name = named();
  const made = await svix.eventType.create({ name, description: "Hidden", groupName: "orders", featureFlags: ["beta"] });
  assert.equal(made.groupName, "orders");
  assert.deepEqual(made.featureFlags, ["beta"]);
  const patched = await svix.eventType.patch(name, { groupName: null, featureFlags: null });
  assert.ok(patched.groupName == null && !patched.featureFlags?.length);
});

test("event types are imported from the webhooks of an OpenAPI document", async () => {
  const name = named();
  const spec = {
    openapi: "3.1.0",
    info: { title: "Shop", version: "1" },
    webhooks: {
      [name]: { post: { description: "An order", requestBody: { content: { "application/json": { schema } } }, responses: { 200: { description: "Taken" } } } },
    },
  };
  const tried = await svix.eventType.importOpenapi({ spec, dryRun: true });
  assert.deepEqual(tried.data.toModify.map((e) => e.name), [name]);
  await refused(404, svix.eventType.get(name));
  const done = await svix.eventType.importOpenapi({ spec });
  assert.deepEqual(done.data.modified, [name]);
  const made = await svix.eventType.get(name);
  assert.equal(made.description, "An order");
  assert.deepEqual(Object.values(made.schemas)[0].required, ["id"]);
  await refused(422, svix.eventType.importOpenapi({ specRaw: "neither JSON nor: [YAML" }));
});
