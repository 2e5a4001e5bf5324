// Two mechanisms side by side: which parts differ was worked out when the page was built.
(() => {
  "use strict";

  function cell(tag, text, scope) {
    const element = document.createElement(tag);
    if (scope) element.scope = scope;
    element.textContent = text;
    return element;
  }

  function heading(word, scope) {
    const element = cell("th", "", scope);
    const token = document.createElement("bdi");
    token.className = "attn-token";
    token.textContent = word;
    element.append(token);
    return element;
  }

  function heatmap(block, tokens, caption) {
    const table = document.createElement("table");
    table.className = "attn-heat attn-compact";
    table.createCaption().textContent = caption;
    const named = (length) => (length === tokens.length ? tokens : [...Array(length).keys()].map((p) => p + 1));
    const head = table.createTHead().insertRow();
    head.append(cell("td", ""), ...named(block[0].length).map((word) => heading(word, "col")));
    const rows = named(block.length);
    const strongest = Math.max(...block.flat().map((value) => Math.abs(Number(value))), Number.MIN_VALUE);
    const body = table.createTBody();
    block.forEach((row, place) => {
      const line = body.insertRow();
      line.append(heading(rows[place], "row"));
      for (const value of row) {
        const number = Number(value);
        const shown = cell("td", number === 0 ? "0" : value);
        shown.style.setProperty("--w", (Math.abs(number) / strongest).toFixed(3));
        if (number < 0) shown.className = "attn-negative";
        if (number === 0) shown.className = "attn-none";
        line.append(shown);
      }
    });
    return table;
  }

  function start(section) {
    const data = JSON.parse(section.querySelector(".attn-data").content.textContent);
    const form = section.querySelector(".attn-choose");
    const sides = section.querySelector(".attn-sides");
    const article = (key) => sides.querySelector(`[data-key="${key}"]`);
    const has = (select, value) => [...select.options].some((option) => option.value === value);

    function numbers(left, right) {
      if (left === right) return [[], []];
      const found = data.pairs[`${left} ${right}`];
      return found || [...data.pairs[`${right} ${left}`]].reverse();
    }

    function mark(side, parts) {
      for (const old of side.querySelectorAll(".attn-differs")) old.classList.remove("attn-differs");
      for (const part of parts) {
        for (const found of side.querySelectorAll(`[data-p="${part}"]`)) found.classList.add("attn-differs");
      }
    }

    function draw(side, key, sentence) {
      const blocks = data.weights[key][sentence];
      side.querySelector(".attn-drawn").replaceChildren(
        ...blocks.map((block, head) => heatmap(
          block, data.tokens[sentence], blocks.length > 1 ? `Head ${head + 1}: a row for each query` : "A row for each query",
        )),
      );
    }

    function show() {
      const left = form.elements.left.value;
      const right = form.elements.right.value;
      const sentence = form.elements.sentence.value;
      const [mine, theirs] = numbers(left, right);
      for (const side of sides.children) side.hidden = side.dataset.key !== left && side.dataset.key !== right;
      sides.append(article(left));
      if (left !== right) sides.append(article(right));
      mark(article(left), mine);
      mark(article(right), theirs);
      draw(article(left), left, sentence);
      draw(article(right), right, sentence);
      section.querySelector("[role='status']").textContent =
        `${article(left).querySelector("h2").textContent} beside ${article(right).querySelector("h2").textContent}`;
      const wanted = new URLSearchParams({ left, right, sentence });
      history.replaceState(null, "", `#${wanted}`);
    }

    const asked = new URLSearchParams(location.hash.slice(1));
    const usual = { left: "scaled-dot-product", right: "causal", sentence: "journey" };
    for (const name of Object.keys(usual)) {
      const value = asked.get(name);
      form.elements[name].value = value && has(form.elements[name], value) ? value : usual[name];
    }
    form.hidden = false;
    form.addEventListener("change", show);
    form.addEventListener("submit", (event) => event.preventDefault());
    show();
  }

  function startAll() {
    for (const section of document.querySelectorAll(".attn-compare:not([data-live])")) {
      section.dataset.live = "";
      start(section);
    }
  }

  // A theme that changes pages without loading them tells when it has.
  if (globalThis.document$) globalThis.document$.subscribe(startAll);
  else startAll();
})();
