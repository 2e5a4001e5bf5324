// Choosing a weight lights up where it comes from. Without this script everything is still there to read.
(() => {
  "use strict";
  document.documentElement.classList.add("attn-js");

  const lit = "attn-lit";

  function clear(explorer) {
    for (const other of explorer.querySelectorAll("[aria-pressed='true']")) {
      other.setAttribute("aria-pressed", "false");
    }
    for (const part of explorer.querySelectorAll(`.${lit}`)) part.classList.remove(lit);
  }

  function choose(button) {
    const explorer = button.closest(".attn-explorer");
    const { i, j } = button.dataset;
    clear(explorer);
    button.setAttribute("aria-pressed", "true");
    for (const panel of explorer.querySelectorAll(".attn-panel")) {
      panel.open = panel.dataset.i === i;
      if (panel.open) {
        for (const part of panel.querySelectorAll(`[data-j="${j}"]`)) part.classList.add(lit);
      }
    }
    explorer.querySelector(`thead [data-j="${j}"]`).classList.add(lit);
    explorer.querySelector(`tr[data-i="${i}"] th`).classList.add(lit);
    explorer.querySelector("[role='status']").textContent = button.getAttribute("aria-label");
    explorer.querySelector(`.attn-panel[open] li.${lit}`).scrollIntoView({ block: "nearest" });
  }

  function move(button, key) {
    const steps = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
    if (!(key in steps)) return false;
    const i = Number(button.dataset.i) + steps[key][0];
    const j = Number(button.dataset.j) + steps[key][1];
    const table = button.closest("table");
    const next = table.querySelector(`button[data-i="${i}"][data-j="${j}"]`);
    if (next) next.focus();
    return true;
  }

  async function copy(button) {
    const said = button.textContent;
    try {
      await navigator.clipboard.writeText(button.dataset.latex);
      button.textContent = button.dataset.copied ?? "Copied";
    } catch {
      button.textContent = button.dataset.refused ?? "Not allowed: see LaTeX below";
    }
    setTimeout(() => { button.textContent = said; }, 1600);
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    if (button.closest(".attn-heat")) choose(button);
    else if (button.classList.contains("attn-copy")) copy(button);
  });

  // A row that is opened by its own heading was not chosen by a weight: nothing of another stays lit.
  document.addEventListener("toggle", (event) => {
    const panel = event.target;
    if (!panel.matches?.(".attn-panel[open]")) return;
    const explorer = panel.closest(".attn-explorer");
    const chosen = explorer.querySelector("[aria-pressed='true']");
    if (chosen && chosen.dataset.i !== panel.dataset.i) clear(explorer);
  }, true);

  // What has to be scrolled to be read can be reached by key.
  const sized = new ResizeObserver((entries) => {
    for (const { target } of entries) {
      if (target.scrollWidth > target.clientWidth) target.tabIndex = 0;
      else target.removeAttribute("tabindex");
    }
  });

  // What only some pages need is fetched where it is needed: from beside this script.
  const PARTS = { ".attn-walk": "step-through.js", ".attn-compare": "compare.js" };
  const address = document.currentScript?.src;
  const fetched = new Set();

  function fetchFor(part, script) {
    if (!address || fetched.has(script) || !document.querySelector(part)) return;
    fetched.add(script);
    const element = document.createElement("script");
    element.src = new URL(script, address).href;
    document.head.append(element);
  }

  function start() {
    for (const formula of document.querySelectorAll("div.attn-math")) sized.observe(formula);
    for (const [part, script] of Object.entries(PARTS)) fetchFor(part, script);
  }

  // A theme that changes pages without loading them tells when it has.
  if (globalThis.document$) globalThis.document$.subscribe(start);
  else if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();

  document.addEventListener("keydown", (event) => {
    const button = event.target.closest(".attn-heat button");
    if (button && move(button, event.key)) event.preventDefault();
  });
})();
