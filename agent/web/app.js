"use strict";
// Data reaches the page through textContent alone.

const $ = (id) => document.getElementById(id);
const kRetryMs = 2000;
let token = sessionStorage.getItem("token") || "";
let live = null;      // the connection to /v1/events
let watching = null;  // the event stream of the job on show
let shownJob = "";

function headers(extra) {
  return token ? { ...extra, Authorization: "Bearer " + token } : { ...extra };
}

class Unauthorized extends Error {}

function askForToken() {
  if (!$("token-form").hidden) return;
  $("token-form").hidden = false;
  $("token-form").elements.token.focus();
}

function unauthorized() {
  askForToken();
  setStatus("waiting for a token");
  return new Unauthorized(token ? "The server refuses this token." : "This server asks for a token.");
}

async function fetchChecked(path, options = {}) {
  let reply;
  try {
    reply = await fetch(path, { ...options, headers: headers(options.headers) });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("The server does not answer.");
  }
  if (reply.status === 401) throw unauthorized();
  if (!reply.ok) {
    const body = await reply.json().catch(() => ({}));
    throw new Error(body.message || reply.status + " " + reply.statusText);
  }
  return reply;
}

const api = async (path, options) => (await fetchChecked(path, options)).json();

// Server-sent events through fetch: EventSource cannot carry a token. Reconnects until it was
// aborted, the server says "end", or a token is missing.
async function stream(path, signal, onOpen, onEvent, onLost) {
  let last = "";
  while (!signal.aborted) {
    try {
      const reply = await fetchChecked(path, {
        headers: { Accept: "text/event-stream", ...(last ? { "Last-Event-ID": last } : {}) }, signal });
      onOpen();
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
      if (error instanceof Unauthorized) return report(error);
    }
    if (signal.aborted) return;
    onLost();
    await new Promise((resolve) => setTimeout(resolve, kRetryMs));
  }
}

const microseconds = (us) => us === undefined || us === null ? "" :
  us >= 1000 ? (us / 1000).toFixed(3) + " ms" : us.toFixed(1) + " µs";
const count = (n, what) => n + " " + what + (n === 1 ? "" : "s");
const taskOf = (job) => job.spec.task || job.spec.task_name || job.id;
const isOpen = (job) => job.state === "running" || job.state === "queued";

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
function setStatus(text) { setText($("status"), text); }
function report(error) { setText($("message"), error ? error.message : ""); }

// ---- one job, step by step

const generators = new Map();  // of the job on show: candidate id to generator

function describe(type, payload) {
  const who = (id) => generators.get(id) || String(id).slice(0, 12);
  switch (type) {
    case "job_created": return "submitted";
    case "steps_asked": return "next: " + payload.steps.map((step) => step.kind.replaceAll("_", " ")).join(", ");
    case "steps_cancelled": return count(payload.steps.length, "step") + " stopped";
    case "proposed": {
      for (const c of payload.candidates) generators.set(c.id, c.generator);
      const from = payload.lane >= 0 ? "model, lane " + payload.lane + ", round " + payload.round : payload.proposer;
      const finding = payload.finding ? " (" + payload.finding.kind + ": " + payload.finding.text + ")" : "";
      return from + " proposed " + (payload.candidates.map((c) => c.generator).join(", ") || "nothing") + finding;
    }
    case "judged":
      return who(payload.candidate) + (payload.full ? ", judged again: " : ": ") +
        (payload.passed ? "passed" : "rejected, " + payload.kind + ": " + payload.reason) +
        (payload.median_us ? ", " + microseconds(payload.median_us) : "");
    case "tuned": return "tuned";
    case "step_failed": return "a step failed: " + payload.message;
    case "budget_spent": return "the budget is spent";
    case "cancel_asked": return "cancel asked for" + (payload.reason ? ": " + payload.reason : "");
    case "winner_chosen": return who(payload.candidate) + " leads; it is judged again";
    case "accepted": return who(payload.candidate) + " accepted" + (payload.from_memory ? " from memory" : "");
    case "finished": return "finished: " + payload.status.replaceAll("_", " ");
    default: return type;
  }
}

function show(job) {
  if (watching) watching.abort();
  const control = watching = new AbortController();
  shownJob = job.id;
  generators.clear();
  $("detail").hidden = false;
  setText($("detail-title"), taskOf(job));
  setText($("detail-id"), "job " + job.id);
  $("events").replaceChildren();
  $("bundle").hidden = true;
  $("detail-title").focus();
  stream("/v1/jobs/" + encodeURIComponent(job.id) + "/events", control.signal, () => {}, (event) => {
    if (control.signal.aborted) return;
    const data = JSON.parse(event.data);
    if (event.type === "end") {
      $("bundle").hidden = data.state !== "done";
      return;
    }
    if (!data.seq) return;
    const item = document.createElement("li");
    item.value = data.seq;
    item.textContent = describe(event.type, data.payload);
    if (event.type === "judged") item.className = data.payload.passed ? "state-done" : "state-failed";
    const list = $("events");
    const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
    list.append(item);
    if (atEnd) list.scrollTop = list.scrollHeight;
  }, () => {});
}

// A link could not carry the token.
async function downloadBundle() {
  try {
    const reply = await fetchChecked("/v1/jobs/" + encodeURIComponent(shownJob) + "/bundle");
    const link = document.createElement("a");
    link.href = URL.createObjectURL(await reply.blob());
    link.download = "kernelwright-" + shownJob + ".json";
    link.click();
    URL.revokeObjectURL(link.href);
  } catch (error) { report(error); }
}

// ---- the two tables; rows stay where they are, so that focus and selection do too

function sync(table, items, keyOf, make, fill, nothing) {
  const body = table.tBodies[0];
  const rows = new Map([...body.rows].map((row) => [row.dataset.key, row]));
  items.forEach((item, i) => {
    const key = keyOf(item);
    let row = rows.get(key);
    if (row) rows.delete(key);
    else {
      row = document.createElement("tr");
      row.dataset.key = key;
      make(row, item);
    }
    if (body.rows[i] !== row) body.insertBefore(row, body.rows[i] || null);
    fill(row, item);
  });
  for (const row of rows.values()) row.remove();
  if (items.length === 0) {
    const cell = body.insertRow().insertCell();
    cell.colSpan = table.tHead.rows[0].cells.length;
    cell.className = "nothing";
    cell.textContent = nothing;
  }
}

function cells(row, n, numeric) {
  for (let i = 0; i < n; ++i) row.insertCell().className = i === numeric ? "number" : "";
}

function button(text, onClick) {
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = text;
  made.addEventListener("click", onClick);
  return made;
}

function resultOf(job) {
  if (isOpen(job)) return count(job.last_seq, "event") + " so far";
  const summary = job.summary || {};
  if (summary.winner) return summary.winner.generator + (summary.winner.from_memory ? ", from memory" : "");
  const rejected = summary.rejected && summary.rejected.length ? summary.rejected[0].reason : "";
  const why = summary.error ? summary.error.message || summary.error : rejected;
  return (summary.status || job.state).replaceAll("_", " ") + (why ? ": " + String(why).slice(0, 200) : "");
}

function makeJob(row, job) {
  cells(row, 6, 4);
  row.cells[0].append(button(taskOf(job), () => show(job)));
  const cancel = button("cancel", () =>
    api("/v1/jobs/" + encodeURIComponent(job.id) + "/cancel", { method: "POST" }).then(() => report(null), report));
  cancel.setAttribute("aria-label", "cancel " + taskOf(job));
  row.insertCell().append(cancel);
}

function fillJob(row, job) {
  const [, state, device, result, median, updated, action] = row.cells;
  setText(state, job.state);
  state.className = "state-" + job.state;
  setText(device, job.spec.device);
  setText(result, resultOf(job));
  setText(median, microseconds(job.summary.winner ? job.summary.winner.median_us : null) || (isOpen(job) ? "" : "–"));
  setText(updated, new Date(job.updated_us / 1000).toLocaleTimeString());
  action.firstChild.hidden = !isOpen(job);
}

function fillKernel(row, kernel) {
  const machine = kernel.device.class === "ptxvm";
  setText(row.cells[0], kernel.task);
  setText(row.cells[1], kernel.generator);
  setText(row.cells[2], kernel.proposer);
  setText(row.cells[3], machine ? "PTX virtual machine" : kernel.device.name);
  setText(row.cells[4], machine ? "not timed" : microseconds(kernel.median_us));
}

async function refresh() {
  const [jobs, kernels] = await Promise.all([api("/v1/jobs?limit=100"), api("/v1/kernels?limit=100")]);
  sync($("jobs"), jobs.jobs, (job) => job.id, makeJob, fillJob, "No jobs yet. Submit one above.");
  sync($("kernels"), kernels.kernels, (k) => k.candidate + " " + k.task_key + " " + k.device.uuid,
       (row) => cells(row, 5, 4), fillKernel, "None yet: the first job that ends well puts its kernel here.");
  const running = jobs.jobs.filter(isOpen).length;
  setStatus(running ? count(running, "job") + " running" : "connected, idle");
}

$("submit").addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = new FormData(event.target);
  report(null);
  const send = event.target.querySelector("button");
  send.disabled = true;
  try {
    await api("/v1/jobs", {
      method: "POST",
      headers: { "Content-Type": "application/json", "Idempotency-Key": crypto.randomUUID() },
      body: JSON.stringify({ v: 1, task: form.get("task").trim(), objective: form.get("objective"),
                             budget_s: Number(form.get("budget_s")) }) });
    await refresh();
  } catch (error) { report(error); } finally { send.disabled = false; }
});

$("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  token = new FormData(event.target).get("token");
  sessionStorage.setItem("token", token);
  $("token-form").hidden = true;
  report(null);
  start();
});

$("bundle").addEventListener("click", downloadBundle);

function start() {
  if (live) live.abort();
  const control = live = new AbortController();
  const update = () => refresh().then(() => {
    if (lost) report(null);
    lost = false;
  }, (error) => { if (!control.signal.aborted) report(error); });
  let pending = false, lost = false;
  stream("/v1/events", control.signal, update, () => {
    if (pending) return;
    pending = true;
    setTimeout(() => { pending = false; update(); }, 300);
  }, () => {
    lost = true;
    setStatus("no connection");
    report(new Error("The server does not answer. What you see may be old; trying again every two seconds."));
  });
}
start();
