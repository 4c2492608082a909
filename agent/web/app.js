"use strict";
// Data reaches the page through textContent alone.

const $ = (id) => document.getElementById(id);
let token = sessionStorage.getItem("token") || "";
let watching = null;

function headers(extra) {
  return token ? { ...extra, Authorization: "Bearer " + token } : { ...extra };
}

async function api(path, options = {}) {
  const reply = await fetch(path, { ...options, headers: headers(options.headers) });
  if (reply.status === 401) $("token-form").hidden = false;
  const body = await reply.json();
  if (!reply.ok) throw new Error(body.message || reply.statusText);
  return body;
}

// Server-sent events through fetch: EventSource cannot carry a token.
async function stream(path, onEvent, signal) {
  let last = "";
  while (!signal.aborted) {
    try {
      const reply = await fetch(path, {
        headers: headers({ Accept: "text/event-stream", ...(last ? { "Last-Event-ID": last } : {}) }), signal });
      if (!reply.ok) { if (reply.status === 401) $("token-form").hidden = false; throw new Error(reply.statusText); }
      const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader();
      let text = "";
      for (;;) {
        const { value, done } = await reader.read();
        if (done) break;
        text += value;
        let end;
        while ((end = text.indexOf("\n\n")) >= 0) {
          const event = { type: "message", data: "" };
          for (const line of text.slice(0, end).split("\n")) {
            if (line.startsWith("event: ")) event.type = line.slice(7);
            if (line.startsWith("data: ")) event.data += line.slice(6);
            if (line.startsWith("id: ")) last = line.slice(4);
          }
          text = text.slice(end + 2);
          if (event.data) onEvent(event);
          if (event.type === "end") return;
        }
      }
    } catch (error) {
      if (signal.aborted) return;
      $("status").textContent = "reconnecting";
    }
    await new Promise((resolve) => setTimeout(resolve, 2000));
  }
}

const microseconds = (us) => us === undefined || us === null ? "" :
  us >= 1000 ? (us / 1000).toFixed(3) + " ms" : us.toFixed(1) + " µs";

function cell(row, text, className) {
  const td = row.insertCell();
  td.textContent = text === undefined || text === null ? "" : text;
  if (className) td.className = className;
  return td;
}

function show(job) {
  if (watching) watching.abort();
  watching = new AbortController();
  $("detail").hidden = false;
  $("detail-title").textContent = (job.spec.task || job.spec.task_name || "") + " · " + job.id;
  $("events").replaceChildren();
  $("bundle").hidden = true;
  stream("/v1/jobs/" + encodeURIComponent(job.id) + "/events", (event) => {
    const item = document.createElement("li");
    const data = JSON.parse(event.data);
    item.textContent = event.type + " " + JSON.stringify(data.payload || data.summary || {}).slice(0, 400);
    if (data.seq) item.value = data.seq;
    $("events").append(item);
    if (event.type === "end" && data.state === "done") {
      $("bundle").href = "/v1/jobs/" + encodeURIComponent(job.id) + "/bundle";
      $("bundle").hidden = false;
    }
  }, watching.signal);
}

async function refresh() {
  const [jobs, kernels] = await Promise.all([api("/v1/jobs?limit=100"), api("/v1/kernels?limit=100")]);
  const body = $("jobs").tBodies[0];
  body.replaceChildren();
  for (const job of jobs.jobs) {
    const row = body.insertRow();
    const open = document.createElement("button");
    open.textContent = job.spec.task || job.spec.task_name || job.id;
    open.addEventListener("click", () => show(job));
    row.insertCell().append(open);
    cell(row, job.state, "state-" + job.state);
    cell(row, job.spec.device);
    cell(row, job.summary.status);
    cell(row, microseconds(job.summary.median_us), "number");
    cell(row, new Date(job.updated_us / 1000).toLocaleTimeString());
    const action = row.insertCell();
    if (job.state === "running" || job.state === "queued") {
      const cancel = document.createElement("button");
      cancel.textContent = "cancel";
      cancel.addEventListener("click", () =>
        api("/v1/jobs/" + encodeURIComponent(job.id) + "/cancel", { method: "POST" }).catch(report));
      action.append(cancel);
    }
  }
  const best = $("kernels").tBodies[0];
  best.replaceChildren();
  for (const kernel of kernels.kernels) {
    const row = best.insertRow();
    cell(row, kernel.task);
    cell(row, kernel.generator);
    cell(row, kernel.proposer);
    cell(row, kernel.device.class === "ptxvm" ? "virtual machine (no time)" : kernel.device.name);
    cell(row, microseconds(kernel.median_us), "number");
  }
  $("status").textContent = jobs.jobs.filter((job) => job.state === "running").length + " running";
}

const report = (error) => { $("message").textContent = error.message; };

$("submit").addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = new FormData(event.target);
  $("message").textContent = "";
  try {
    await api("/v1/jobs", {
      method: "POST",
      headers: { "Content-Type": "application/json", "Idempotency-Key": crypto.randomUUID() },
      body: JSON.stringify({ v: 1, task: form.get("task").trim(), objective: form.get("objective"),
                             budget_s: Number(form.get("budget_s")) }) });
    await refresh();
  } catch (error) { report(error); }
});

$("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  token = new FormData(event.target).get("token");
  sessionStorage.setItem("token", token);
  $("token-form").hidden = true;
  start();
});

let live = null;
function start() {
  if (live) live.abort();
  live = new AbortController();
  refresh().catch(report);
  let pending = false;
  stream("/v1/events", () => {
    if (pending) return;
    pending = true;
    setTimeout(() => { pending = false; refresh().catch(report); }, 300);
  }, live.signal);
}
start();
