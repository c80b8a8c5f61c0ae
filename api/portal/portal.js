// The page of one application. It knows the public API only, by the token in the fragment of its address.
"use strict";

const byId = (id) => document.getElementById(id);

// The token leaves the address bar, so that it doesn't end up in screenshots and shared links. It stays for this tab.
function takeToken() {
  const key = new URLSearchParams(location.hash.slice(1)).get("key");
  if (key) {
    sessionStorage.setItem("token", key);
    history.replaceState(null, "", location.pathname);
  }
  return sessionStorage.getItem("token");
}

const token = takeToken();
const api = location.pathname.replace(/\/portal$/, "") + "/api/v1";

async function call(method, path) {
  const response = await fetch(api + path, { method, headers: { Authorization: "Bearer " + token } });
  const body = response.status === 204 ? null : await response.json();
  if (!response.ok) {
    throw Object.assign(new Error(typeof body.detail === "string" ? body.detail : "Error " + response.status), { status: response.status });
  }
  return body;
}

function element(name, text, ...children) {
  const made = document.createElement(name);
  made.textContent = text;
  made.append(...children);
  return made;
}

function showEndpoints(endpoints) {
  byId("endpoints").replaceChildren(...endpoints.map((e) => {
    const wants = e.eventTypes ? e.eventTypes.join(", ") : "all event types";
    return element("li", e.url, element("small", (e.disabled ? "disabled · " : "") + wants + (e.description ? " · " + e.description : "")));
  }));
  if (endpoints.length === 0) byId("endpoints").append(element("li", "There is no endpoint yet."));
  byId("endpoints-section").hidden = false;
}

async function showMessages(app, messages) {
  const rows = await Promise.all(messages.map(async (m) => {
    const destinations = (await call("GET", `/app/${app}/msg/${m.id}/endpoint`)).data;
    const outcome = destinations.map((d) => `${d.url}: ${d.statusText}`).join("\n") || "–";
    return element("tr", "", element("td", new Date(m.timestamp).toLocaleString()), element("td", m.eventType), element("td", m.id), element("td", outcome));
  }));
  byId("messages").replaceChildren(...rows);
  if (rows.length === 0) byId("messages").append(element("tr", "", element("td", "There is no message yet.")));
  byId("messages-section").hidden = false;
}

async function logOut() {
  await call("POST", "/auth/logout");
  sessionStorage.removeItem("token");
  location.reload();
}

function report(error) {
  if (error.status === 401) sessionStorage.removeItem("token");
  byId("status").hidden = false;
  byId("status").textContent = error.status === 401 ? "This link is no longer good. Ask for a new one." : error.message;
}

async function main() {
  if (!token) {
    byId("status").textContent = "Open this page by the link that you were given.";
    return;
  }
  const who = await call("GET", "/auth/whoami");
  byId("logout").hidden = false;
  byId("logout").addEventListener("click", () => logOut().catch(report));
  if (!who.appId) {
    byId("status").textContent = "This page is for the token of an application.";
    return;
  }
  byId("name").textContent = (await call("GET", `/app/${who.appId}`)).name;
  document.title = byId("name").textContent + " · Webhooks";
  showEndpoints((await call("GET", `/app/${who.appId}/endpoint?limit=100`)).data);
  await showMessages(who.appId, (await call("GET", `/app/${who.appId}/msg?limit=20&with_content=false`)).data);
  byId("status").hidden = true;
}

main().catch(report);
