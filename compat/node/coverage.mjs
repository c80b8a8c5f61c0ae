// What the SDK has, what the table says about it, and what was called. It has to be the last file of the suite.
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Svix } from "svix";
import { assert, called, table } from "./support.mjs";

/** The paths of all methods of a client, as in endpoint.transformation.get. */
function methodsOf(resource, path = "") {
  const prototype = Object.getPrototypeOf(resource);
  return Object.entries(Object.getOwnPropertyDescriptors(prototype)).flatMap(([name, { get, value }]) => {
    const there = path ? `${path}.${name}` : name;
    if (name === "constructor") return [];
    return get ? methodsOf(resource[name], there) : typeof value === "function" ? [there] : [];
  });
}

const outOfScope = (method) =>
  Object.keys(table.outOfScope).some((entry) => (entry.endsWith(".*") ? method.startsWith(entry.slice(0, -1)) : method === entry));

test("every method of the SDK is in the table, and the table has no others", () => {
  const methods = methodsOf(new Svix("token", { serverUrl: "http://127.0.0.1:1" }));
  assert.ok(methods.length > 100, "the SDK is no longer built as this test expects");
  assert.deepEqual(methods.filter((method) => !(method in table.methods) && !outOfScope(method)), [], "neither exercised nor out of scope");
  assert.deepEqual(Object.keys(table.methods).filter((method) => !methods.includes(method) || outOfScope(method)), [], "in the table only");
  const idle = Object.keys(table.outOfScope).filter((entry) => !methods.some((m) => (entry.endsWith(".*") ? m.startsWith(entry.slice(0, -1)) : m === entry)));
  assert.deepEqual(idle, [], "out of scope, but the SDK has no such method");
});

test("every method in scope was called", () => {
  const missed = Object.entries(table.methods).filter(([method]) => !called.has(method));
  assert.deepEqual(missed, []);
});

test("the SDK is the version that the table names", () => {
  const { version } = JSON.parse(readFileSync(new URL("node_modules/svix/package.json", import.meta.url)));
  assert.equal(table.sdk, `svix ${version} from npm`);
});
