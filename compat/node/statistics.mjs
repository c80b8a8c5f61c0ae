import { test } from "node:test";
import { assert, finished, newApp, refused, svix, unique } from "./support.mjs";

test("the use of applications is counted by a task", async () => {
  const app = await newApp();
  await svix.message.create(app.id, { eventType: "order.created", payload: {} });
  const unknown = unique("unknown");
  const task = await svix.statistics.aggregateAppStats({
    since: new Date(Date.now() - 3_600_000), until: new Date(Date.now() + 60_000), appIds: [app.uid, unknown],
  });
  assert.match(task.id, /^qtask_/);
  assert.equal(task.task, "application.stats");
  assert.deepEqual(task.unresolvedAppIds, [unknown]);
  const end = await finished(task.id);
  assert.equal(end.status, "finished");
  assert.ok(JSON.stringify(end.data).includes(app.id), "the result names the application");

  const { data } = await svix.backgroundTask.list({ task: "application.stats", status: "finished", limit: 250 });
  assert.ok(data.some((listed) => listed.id === task.id));
  assert.ok(data.every((listed) => listed.task === "application.stats" && listed.status === "finished"));
  await refused(404, svix.backgroundTask.get("qtask_00000000000000000000000000"));
});

test("the use of event types is counted by a task", async () => {
  const task = await svix.statistics.aggregateEventTypes();
  assert.equal(task.task, "event-type.aggregate");
  assert.equal((await finished(task.id)).status, "finished");
});
