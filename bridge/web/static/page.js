// Fetches the page again and swaps its main part, so that nobody loses their place: what was open stays open, what had
// the focus keeps it, and what was at the top of the window stays there. Without it the page is reloaded by hand.
"use strict";

const EVERY = 5000; // milliseconds between two fetches
const SETTLED = 250; // milliseconds without a key, after which a search is sent
const live = document.getElementById("live");
const state = document.getElementById("state");
const search = document.getElementById("search");
let asked = 0; // counts fetches: an answer that another overtook is dropped
let timer = 0;

const keyed = (root) => [...root.querySelectorAll("[data-key]")];
const keyOf = (node) => (node && node.closest ? node.closest("[data-key]")?.dataset.key : undefined);

function find(root, key, name) {
  return keyed(root).find((node) => node.dataset.key === key && (!name || node.localName === name));
}

// The first thing in the window that has a name, and where it is.
function anchor() {
  if (window.scrollY === 0) return null;
  const node = keyed(live).find((one) => one.getClientRects().length && one.getBoundingClientRect().bottom > 0);
  return node ? { key: node.dataset.key, top: node.getBoundingClientRect().top } : null;
}

function focused() {
  const node = document.activeElement;
  if (!node || !live.contains(node)) return null;
  if (node.localName === "summary") return { key: keyOf(node), summary: true };
  return node.dataset.key ? { key: node.dataset.key } : { href: node.getAttribute("href") };
}

function focusAgain(was) {
  if (!was) return;
  const node = was.key
    ? find(live, was.key)
    : [...live.querySelectorAll("a")].find((one) => one.getAttribute("href") === was.href);
  const target = was.summary ? node?.querySelector("summary") : node;
  target?.focus({ preventScroll: true });
}

function swap(fresh) {
  for (const old of live.querySelectorAll("details[data-key]")) {
    const now = find(fresh, old.dataset.key, "details");
    if (now) now.open = old.open;
  }
  const place = anchor();
  const had = focused();
  live.replaceChildren(...fresh.childNodes);
  const node = place && find(live, place.key);
  if (node) window.scrollBy(0, node.getBoundingClientRect().top - place.top);
  focusAgain(had);
}

function isReading() {
  const chosen = window.getSelection();
  return chosen && !chosen.isCollapsed && live.contains(chosen.anchorNode);
}

async function refresh() {
  const mine = ++asked;
  try {
    const answer = await fetch(window.location.href, { cache: "no-store", signal: AbortSignal.timeout(EVERY) });
    const text = await answer.text();
    if (mine !== asked) return;
    const fresh = new DOMParser().parseFromString(text, "text/html").getElementById("live");
    if (!fresh) throw new Error("no page");
    swap(document.adoptNode(fresh));
    tell("");
  } catch {
    if (mine === asked) tell("The bridge does not answer. What is shown may be old.");
  }
}

function tell(text) {
  if (state.textContent === text) return;
  state.textContent = text;
  state.classList.toggle("old", text !== "");
}

function later(wait) {
  window.clearTimeout(timer);
  timer = window.setTimeout(async () => {
    if (!document.hidden && !isReading()) await refresh();
    later(EVERY);
  }, wait);
}

function findNow() {
  const words = search.value.trim();
  window.history.replaceState(null, "", words ? `/?q=${encodeURIComponent(words)}` : "/");
  later(SETTLED);
}

if (window.location.pathname === "/") {
  search.addEventListener("input", findNow);
  search.form.addEventListener("submit", (event) => {
    event.preventDefault();
    findNow();
  });
}
document.addEventListener("visibilitychange", () => later(document.hidden ? EVERY : 0));
later(EVERY);
