"use strict";
// The server is the truth: nothing is shown as decided before it has answered. Text of a model is only ever textContent.

const $ = (id) => document.getElementById(id);
const API = location.pathname.replace(/\/*$/, "/api/");
const BEHIND = 5, AHEAD = 9; // names around the one under review
const NEAR = 20; // more are fetched when fewer names than this are left in the window
const MARK = { accept: "✓", reject: "✗", undo: "·" };
const WORD = { accept: "accepted", reject: "rejected", undo: "undecided" };

let names = []; // a window of the names that match the filter, in the catalog's order
let at = 0; // the one under review
let whole = { before: false, after: false }; // whether the window reaches the first and the last match
let totals = null;
let generation = 0; // of the filter: an answer to an older one is dropped

const count = (number) => number.toLocaleString("en");
const visible = (text) => text.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, (c) => `\\u{${c.codePointAt(0).toString(16)}}`);
const current = () => names[at];

function element(kind, text, properties = {}) {
  const made = document.createElement(kind);
  made.textContent = text;
  return Object.assign(made, properties);
}

async function ask(path, body) {
  const options = body === undefined ? {} : { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
  let reply;
  try {
    reply = await fetch(API + path, options);
  } catch {
    throw new Error("The server does not answer. Nothing was decided; start review-names again and open its new address.");
  }
  const answer = await reply.json().catch(() => ({ error: `The server answered ${reply.status} and said no more.` }));
  if (!reply.ok) throw new Error(answer.error);
  return answer;
}

// One request after the other, so that quick keys are decided in the order in which they were pressed.
let queue = Promise.resolve();
function enqueue(work) {
  queue = queue.then(work).catch((error) => { $("message").textContent = error.message; });
  return queue;
}

function filter() {
  return { status: $("status").value, text: $("text").value.trim(), arm: $("arm").value, tag: $("with-tag").value };
}

const fetchNames = (more) => ask("names?" + new URLSearchParams({ ...filter(), ...more }));

async function load(position) {
  const mine = ++generation;
  const answer = await fetchNames(position === undefined ? { start: "undecided" } : { start: "after", position: Math.max(-1, position - 60), limit: 120 });
  if (mine !== generation) return;
  names = answer.names;
  whole = { before: false, after: false };
  at = names.findIndex((name) => (position === undefined ? name.decision === "undo" : name.position >= position));
  if (at < 0) at = position === undefined ? 0 : Math.max(0, names.length - 1);
  if (current()?.position !== position) $("tagging").close(); // its tags are of another name
  told(answer.totals);
  const filtered = Object.values({ ...filter(), status: $("status").value.replace("all", "") }).some(Boolean);
  $("matching").textContent = filtered ? `${count(answer.matching)} match` : "";
  await stretch();
  show();
}

async function stretch() {
  const mine = generation;
  if (!whole.after && names.length - at < NEAR) {
    const answer = await fetchNames({ start: "after", position: names.at(-1)?.position ?? -1 });
    if (mine !== generation) return;
    names.push(...answer.names);
    whole.after = answer.names.length === 0;
  }
  if (!whole.before && at < NEAR && names.length) {
    const answer = await fetchNames({ start: "before", position: names[0].position });
    if (mine !== generation) return;
    names.unshift(...answer.names);
    at += answer.names.length;
    whole.before = answer.names.length === 0;
  }
}

function told(news) {
  totals = news;
  $("message").textContent = "";
  const { accepted, rejected } = news, decided = accepted + rejected;
  document.title = `${count(decided)} of ${count(news.names)} · Review names`;
  $("where").textContent = visible(`${news.title} · ${news.source}`);
  $("accepted").textContent = count(accepted);
  $("rejected").textContent = count(rejected);
  $("left").textContent = count(news.names - decided);
  $("bar-accepted").style.width = `${100 * accepted / news.names}%`;
  $("bar-rejected").style.width = `${100 * rejected / news.names}%`;
  const meter = $("meter");
  meter.setAttribute("aria-valuemax", news.names);
  meter.setAttribute("aria-valuenow", decided);
  meter.setAttribute("aria-valuetext", `${count(decided)} of ${count(news.names)} names`);
  const arms = [["", "any arm"], ...news.arms.map((arm) => [arm, `only ${arm}`])];
  choices($("arm"), news.arms.length > 1 ? [...arms, ["both", "several arms"]] : arms);
  choices($("with-tag"), [["", "any tag"], ...news.tags.map((tag) => [tag, `# ${tag}`])]);
}

function choices(select, wanted) {
  const chosen = select.value;
  if (chosen && !wanted.some(([value]) => value === chosen)) wanted.push([chosen, chosen]);
  select.replaceChildren(...wanted.map(([value, text]) => element("option", visible(text), { value })));
  select.value = chosen;
}

function show() {
  const name = current();
  $("card").className = `card ${name ? name.decision : ""}`;
  for (const id of ["accept", "reject", "tag"]) $(id).disabled = !name;
  $("place").textContent = name ? `${count(name.position + 1)} of ${count(totals.names)}` : "";
  $("verdict").textContent = name && name.decision !== "undo" ? `${MARK[name.decision]} ${WORD[name.decision]}` : "";
  const parts = name ? visible(name.func_name).split(/(_+)/).filter(Boolean) : ["No name matches"];
  $("name").className = name?.func_name.length > 60 ? "long" : "";
  $("name").replaceChildren(...parts.map((part) => element(name && part.startsWith("_") ? "i" : "span", part)));
  $("spellings").textContent = name?.spellings.length ? "also " + visible(name.spellings.join("  ")) : "";
  $("facts").replaceChildren(...(name ? facts(name) : []));
  $("tags").replaceChildren(...(name?.tags ?? []).map((tag) => element("li", `# ${visible(tag)}`)));
  const from = Math.max(0, at - BEHIND);
  $("around").replaceChildren(...names.slice(from, at + AHEAD + 1).map((other, index) => neighbour(other, from + index)));
  if (!name || !$("tagging").open) return;
  $("tagged-name").textContent = visible(name.func_name);
  const known = [...new Set([...totals.tags, ...name.tags])];
  $("chips").replaceChildren(...known.map((tag) => chip(tag, name.tags.includes(tag))));
}

function facts(name) {
  const drawn = Object.entries(name.draws);
  const made = drawn.map(([arm, draws]) => [visible(arm), draws ? `× ${count(draws)}` : ""]);
  const all = drawn.reduce((sum, [, draws]) => sum + draws, 0);
  if (all) made.push(["", all === 1 ? "drawn once" : `drawn ${count(all)} times`]);
  if (name.score !== null) made.push(["score", name.score.toFixed(3)]);
  return made.map(([word, text]) => {
    const item = element("li", "");
    item.append(element("b", word), word && text ? ` ${text}` : text);
    return item;
  });
}

function neighbour(name, index) {
  const item = element("li", ""), button = element("button", "", { type: "button", className: name.decision });
  const mark = element("i", MARK[name.decision]);
  mark.ariaHidden = "true";
  button.append(mark, element("span", visible(name.func_name)));
  button.setAttribute("aria-label", `${visible(name.func_name)}, ${WORD[name.decision]}`);
  if (index === at) button.setAttribute("aria-current", "true");
  button.onclick = () => enqueue(() => move(index - at));
  item.append(button);
  return item;
}

function chip(tag, on) {
  const made = element("button", `# ${visible(tag)}`, { type: "button", ariaPressed: String(on) });
  made.onclick = () => {
    retag((tags) => (tags.includes(tag) ? tags.filter((other) => other !== tag) : [...tags, tag]));
    $("new-tag").focus();
  };
  return made;
}

async function move(steps) {
  at = Math.max(0, Math.min(names.length - 1, at + steps));
  await stretch();
  show();
  const name = current();
  if (name) $("said").textContent = `${visible(name.func_name)}, ${WORD[name.decision]}`;
}

// Take over what the server says; where another page has decided meanwhile, the whole window is stale.
async function take(answer) {
  const stale = totals.revision + 1 < answer.totals.revision;
  told(answer.totals);
  const shown = names.find((name) => name.position === answer.name?.position);
  if (shown) Object.assign(shown, answer.name);
  if (stale && current()) await load(current().position);
}

// A key speaks of the name that was shown when it was pressed: pressed twice, it does not decide the next one unseen.
function decide(decision) {
  const name = current();
  return enqueue(async () => {
    if (!name || name.position !== current()?.position) return;
    await take(await ask("decisions", { func_name: name.func_name, decision }));
    await move(1);
    const next = current();
    $("said").textContent = `${WORD[decision]} ${visible(name.func_name)}. ${next === name ? "That was the last." : `Next: ${visible(next.func_name)}`}`;
  });
}

function undo() {
  return enqueue(async () => {
    const answer = await ask("undo", {});
    await take(answer);
    const place = names.findIndex((name) => name.position === answer.name?.position);
    if (place >= 0) await move(place - at);
    else if (answer.name) await load(answer.name.position);
    if (answer.name) $("said").textContent = `undone: ${visible(answer.name.func_name)} is ${WORD[answer.name.decision]}`;
  });
}

function retag(change) {
  return enqueue(async () => {
    const { func_name, tags } = current();
    await take(await ask("decisions", { func_name, tags: change(tags) }));
    show();
  });
}

function openTags() {
  if (!current()) return;
  $("new-tag").value = "";
  $("tagging").showModal();
  show();
  $("new-tag").focus();
}

const KEYS = {
  a: () => decide("accept"), arrowright: () => decide("accept"), r: () => decide("reject"), arrowleft: () => decide("reject"),
  u: undo, z: undo, t: openTags, "/": () => $("text").select(), "?": () => $("help").showModal(),
  j: () => enqueue(() => move(1)), arrowdown: () => enqueue(() => move(1)),
  k: () => enqueue(() => move(-1)), arrowup: () => enqueue(() => move(-1)),
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || document.querySelector("dialog[open]")) return;
  // A dialog that was closed this moment still has the focus.
  if (event.target.matches("input, select") && !event.target.closest("dialog")) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  const act = KEYS[event.key.toLowerCase()];
  if (!act) return;
  event.preventDefault();
  if (!event.repeat || /^(Arrow(Up|Down)|[jk])$/i.test(event.key)) act();
});
$("accept").onclick = () => decide("accept");
$("reject").onclick = () => decide("reject");
$("undo").onclick = undo;
$("tag").onclick = openTags;
$("tagging-close").onclick = () => $("tagging").close();
$("help-open").onclick = () => $("help").showModal();
$("tag-form").addEventListener("submit", (event) => {
  const tag = $("new-tag").value.trim();
  if (!tag) return;
  event.preventDefault();
  $("new-tag").value = "";
  retag((tags) => (tags.includes(tag) ? tags : [...tags, tag]));
});
const refilter = () => enqueue(() => load());
let waiting = 0;
$("text").oninput = () => { clearTimeout(waiting); waiting = setTimeout(refilter, 150); };
$("filter").onchange = refilter;
$("filter").onsubmit = (event) => { event.preventDefault(); refilter(); $("text").blur(); };
window.addEventListener("focus", () => { if (current()) enqueue(() => load(current()?.position)); });
refilter();
