// Works a sentence's attention anew while its reader changes it. Without this script the page shows
// the same numbers, standing still.
(() => {
  "use strict";

  const NUMBER = /^[+-]?(\d{1,20}\.?\d{0,20}|\.\d{1,20})(e[+-]?\d{1,3})?$/i;
  const LONGEST_TOKEN = 60;
  // What a sum of rounded scores comes to where the exact one is zero.
  const NEARLY_NOTHING = 1e-12;
  const SPECK = 1e-15;

  // Numbers as the page itself writes them: rounded half to even, very large and very small ones
  // with a power of ten. Fifteen digits undo what binary fractions add to a short decimal.
  function rounded(value, digits) {
    if (value === 0) return (0).toFixed(digits);
    const exponent = Number(value.toExponential(14).split("e")[1]);
    if (exponent < -digits || exponent >= 9) {
      const [mantissa, power] = halfEven(value, digits - exponent).toExponential(digits).split("e");
      return `${mantissa}e${Number(power) < 0 ? "-" : "+"}${Math.abs(Number(power))}`;
    }
    return halfEven(value, digits).toFixed(digits);
  }

  function halfEven(value, places) {
    const [mantissa, power] = Math.abs(value).toExponential(14).split("e");
    const digits = mantissa.replace(".", "");
    const kept = Number(power) + 1 + places;
    if (kept >= digits.length) return value;
    const before = kept > 0 ? digits.slice(0, kept) : "0";
    const after = kept >= 0 ? digits.slice(kept) : digits.padStart(digits.length - kept, "0");
    const half = `5${"0".repeat(after.length - 1)}`;
    const odd = Number(before.at(-1)) % 2 === 1;
    const up = after > half || (after === half && odd);
    const size = Number(`${BigInt(before) + (up ? 1n : 0n)}e${-places}`);
    return value < 0 ? -size : size;
  }

  // Products of decimals that cancel are zero, and in binary fractions a speck beside it.
  function withoutSpecks(arrays) {
    const cleaned = { ...arrays };
    for (const name of ["Q", "K", "V", "s"].filter((one) => one in arrays)) {
      const size = Math.max(...arrays[name].flat().map(Math.abs));
      cleaned[name] = arrays[name].map((row) => row.map(
        (value) => (Math.abs(value) <= SPECK * size ? 0 : value)));
    }
    return cleaned;
  }

  function element(name, attributes, ...children) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes || {})) {
      if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
      else if (value !== null && value !== false) made.setAttribute(key, value === true ? "" : value);
    }
    made.append(...children);
    return made;
  }

  const word = (text) => element("bdi", { class: "attn-token" }, text);
  const copyOf = (state) => structuredClone(state);

  class StepThrough {
    constructor(section) {
      this.section = section;
      const read = (part) => JSON.parse(section.querySelector(part).content.textContent);
      this.data = read(".attn-walk-data");
      this.words = read(".attn-walk-words");
      this.typeset = [...section.querySelector(".attn-walk-formulas").children];
      this.state = this.initial();
      this.status = element("p", { class: "attn-walk-status", role: "status" });
      this.live = element("div", { class: "attn-walk-live" });
      section.querySelector(".attn-walk-static").hidden = true;
      section.append(this.live);
      this.build();
      this.readLink();
      addEventListener("hashchange", () => { if (section.isConnected) this.readLink(); });
    }

    say(key, values = {}) {
      const text = key.split(".").reduce((found, part) => found[part], this.words);
      return text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
    }

    initial() {
      const { tokens, x, matrices, query, switches } = this.data;
      return copyOf({ tokens, x, matrices, query, step: "", ...switches });
    }

    // Which formula

    keyOf(normaliser) {
      const { scaled, causal, projected } = this.state;
      const scale = scaled ? (this.data.factor === null ? "root" : "factor") : "";
      return [normaliser, scale, causal ? "causal" : "", projected ? "projected" : ""].join(",");
    }

    steps() {
      return Object.keys(this.data.formulas[this.keyOf(this.state.normaliser)]);
    }

    // Numbers

    problem() {
      const faulty = this.live.querySelector("[aria-invalid='true']");
      if (!faulty) return "";
      return faulty.dataset.token !== undefined
        ? this.say("emptyToken")
        : this.say("notNumber", { place: faulty.getAttribute("aria-label") });
    }

    compute() {
      const { x, matrices, projected, normaliser } = this.state;
      const numbers = (rows) => rows.map((row) => row.map(Number));
      const given = { x: numbers(x) };
      if (projected) for (const name of Object.keys(matrices)) given[name] = numbers(matrices[name]);
      if (this.data.factor !== null) given.beta = Number(this.data.factor);
      const soft = normaliser === "softmax";
      const arrays = globalThis.attentionWorkOut(this.keyOf(soft ? "shifted" : normaliser), given);
      this.shown = this.keyOf(normaliser);
      this.arrays = withoutSpecks(arrays);
      if (soft) {
        const plain = globalThis.attentionWorkOut(this.shown, given);
        const total = plain.D[this.state.query];
        if (Number.isFinite(total) && total > 0) {
          this.arrays = { ...withoutSpecks(plain), a: arrays.a, z: arrays.z };
        } else this.shown = this.keyOf("shifted");
      }
      this.written = {
        x, ...matrices, beta: this.data.factor,
        d: String(arrays.d), n: String(arrays.n),
      };
    }

    trouble() {
      const { normaliser, query, tokens, causal } = this.state;
      const { s, D, a, z } = this.arrays;
      if (normaliser === "sum") {
        const seen = causal ? s[query].slice(0, query + 1) : s[query];
        const size = seen.reduce((total, score) => total + Math.abs(score), 0);
        if (Math.abs(D[query]) <= NEARLY_NOTHING * size || size === 0) {
          return this.say("zero", { token: tokens[query] });
        }
      }
      if (![s[query], a[query], z[query]].flat().every(Number.isFinite)) return this.say("tooLarge");
      return "";
    }

    number(value) {
      return Number.isFinite(value) ? rounded(value, this.data.digits) : "";
    }

    // What is on the screen

    build() {
      this.live.replaceChildren(
        this.toolbar(), this.bar(), this.stage(), this.table(), this.contextLine(),
        this.matrices(), this.heat(), this.status);
      this.update();
    }

    toolbar() {
      const { normaliser, scaled, causal, projected } = this.state;
      const group = `${this.section.id}-normaliser`;
      const radios = this.data.normalisers.map((name) => element("label", {},
        element("input", {
          type: "radio", name: group, value: name, checked: name === normaliser,
          onchange: () => this.choose({ normaliser: name }),
        }), this.say(`normalisers.${name}`)));
      const factor = this.data.factor ?? "1/√d";
      const boxes = [
        ["scaled", scaled, `${this.say("scale")} ${factor}`],
        ["causal", causal, this.say("causal")],
        ["projected", projected, this.say("projections")],
      ].map(([name, checked, label]) => element("label", {},
        element("input", {
          type: "checkbox", name, checked,
          onchange: (event) => this.choose({ [name]: event.target.checked }),
        }), label));
      this.copyButton = element("button", { type: "button", onclick: () => this.copyLink() },
        this.say("copy"));
      return element("div", { class: "attn-walk-tools" },
        element("fieldset", {}, element("legend", {}, this.say("normalise")), ...radios),
        element("div", {}, ...boxes),
        element("div", {},
          element("button", { type: "button", onclick: () => this.reset() }, this.say("reset")),
          this.copyButton));
    }

    bar() {
      const steps = this.steps();
      if (!steps.includes(this.state.step)) this.state.step = steps[0];
      this.buttons = steps.map((step, place) => element("button", {
        type: "button", "data-step": step, onclick: () => this.go(step),
      }, `${place + 1} `, this.say(`steps.${step}`)));
      const move = (event) => {
        const way = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
        if (!way) return;
        event.preventDefault();
        this.advance(way);
        this.buttons[this.steps().indexOf(this.state.step)].focus();
      };
      this.previous = element("button", {
        type: "button", "aria-label": this.say("previous"), onclick: () => this.advance(-1),
      }, "←");
      this.next = element("button", {
        type: "button", "aria-label": this.say("next"), onclick: () => this.advance(1),
      }, "→");
      return element("div", { class: "attn-walk-bar", role: "group", "aria-label": this.say("stepsLabel"), onkeydown: move },
        this.previous, element("ol", {}, ...this.buttons.map((button) => element("li", {}, button))),
        this.next);
    }

    stage() {
      this.formula = element("div", { class: "attn-step-formula" });
      this.lines = element("ol", { class: "attn-lines" });
      this.projected = element("div", { class: "attn-scroll", tabindex: "0", role: "group", "aria-label": this.say("steps.projection") });
      this.note = element("p", { class: "attn-rule" });
      return element("div", { class: "attn-walk-stage" }, this.formula, this.note, this.lines,
        this.projected);
    }

    input(value, label, change, attributes = {}) {
      return element("input", {
        type: "text", value, "aria-label": label, autocomplete: "off", spellcheck: "false", ...attributes,
        oninput: (event) => {
          const good = change(event.target.value.trim());
          if (good) event.target.removeAttribute("aria-invalid");
          else event.target.setAttribute("aria-invalid", "true");
          this.update();
        },
      });
    }

    numberInput(rows, row, column, label) {
      const change = (text) => {
        if (!NUMBER.test(text) || !Number.isFinite(Number(text))) return false;
        rows[row][column] = text;
        return true;
      };
      return this.input(rows[row][column], label, change, { inputmode: "decimal", class: "attn-walk-number" });
    }

    tokenInput(row) {
      const change = (text) => {
        if (!text) return false;
        this.state.tokens[row] = text;
        return true;
      };
      return this.input(this.state.tokens[row], this.say("tokenAt", { place: row + 1 }), change,
        { "data-token": "", class: "attn-walk-token", maxlength: LONGEST_TOKEN });
    }

    table() {
      const { tokens, x } = this.state;
      const wide = x[0].map((_, place) => element("th", { scope: "col" },
        element("span", { class: "attn-said" }, this.say("dimension", { place: "" })), String(place + 1)));
      this.raisedHead = element("th", { scope: "col" }, this.say("exponential"));
      const head = element("tr", {},
        element("th", { scope: "col", class: "attn-left" }, this.say("token")), ...wide,
        element("th", { scope: "col" }, this.say("score")), this.raisedHead,
        element("th", { scope: "col" }, this.say("weight")),
        element("td", { class: "attn-wide" }));
      this.rows = tokens.map((token, row) => {
        const cells = this.resultCells();
        const fill = element("span");
        const remove = element("button", {
          type: "button", class: "attn-walk-remove",
          "aria-label": this.say("remove", { token }), onclick: () => this.remove(row),
        }, "×");
        const inputs = x[row].map((_, column) => this.numberInput(
          x, row, column, this.say("numberAt", { token, place: column + 1 })));
        const line = element("tr", {},
          element("th", { scope: "row" }, tokens.length > 1 ? remove : "", this.tokenInput(row)),
          ...inputs.map((input) => element("td", {}, input)),
          cells.score, cells.exponential, cells.weight,
          element("td", { class: "attn-wide" }, element("span", { class: "attn-bar", "aria-hidden": "true" }, fill)));
        return { line, cells, fill, inputs, remove };
      });
      this.totals = this.resultCells();
      this.totalRow = element("tr", { class: "attn-walk-total" },
        element("th", { scope: "row" }, this.say("sum")), ...x[0].map(() => element("td")),
        this.totals.score, this.totals.exponential, this.totals.weight, element("td"));
      this.caption = element("caption");
      this.chooser = element("select", {
        onchange: (event) => this.choose({ query: event.target.selectedIndex }, false),
      });
      const full = tokens.length >= this.data.most;
      return element("div", {},
        element("p", { class: "attn-walk-query" },
          element("label", {}, `${this.say("query")} `, this.chooser)),
        element("div", { class: "attn-scroll", tabindex: "0", role: "group", "aria-label": this.say("query") },
          element("table", { class: "attn-walk-table" }, this.caption,
            element("thead", {}, head), element("tbody", {}, ...this.rows.map(({ line }) => line), this.totalRow))),
        full ? "" : element("button", { type: "button", class: "attn-walk-add", onclick: () => this.add() },
          this.say("add")));
    }

    // Each holds its number in an element of its own, which can wait without the cell's ground going.
    resultCells() {
      const names = ["score", "exponential", "weight"];
      return Object.fromEntries(names.map((name) => [name, element("td", {}, element("span"))]));
    }

    contextLine() {
      this.context = element("p", { class: "attn-total" });
      return this.context;
    }

    matrices() {
      if (!this.state.projected) return "";
      const tables = Object.entries(this.state.matrices).map(([name, rows]) => {
        const [letter, below] = name.split("_");
        return element("table", { class: "attn-vectors" },
          element("caption", {}, element("i", {}, letter), element("sub", {}, below)),
          element("tbody", {}, ...rows.map((row, at) => element("tr", {}, ...row.map((_, column) =>
            element("td", {}, this.numberInput(rows, at, column, this.say("matrixAt", {
              name, row: at + 1, column: column + 1,
            }))))))));
      });
      return element("div", { class: "attn-scroll attn-walk-matrices" }, ...tables);
    }

    heat() {
      const { tokens } = this.state;
      this.cells = tokens.map(() => tokens.map(() => element("td")));
      this.heads = tokens.map(() => element("th", { scope: "col" }));
      this.choosers = tokens.map((_, row) => element("button", {
        type: "button", onclick: () => this.choose({ query: row }, false),
      }));
      const rows = this.cells.map((cells, row) => element("tr", {},
        element("th", { scope: "row" }, this.choosers[row]), ...cells));
      return element("div", { class: "attn-scroll", tabindex: "0", role: "group", "aria-label": this.say("heat") },
        element("table", { class: "attn-walk-heat" },
          element("caption", {}, this.say("heat")),
          element("thead", {}, element("tr", {}, element("td"), ...this.heads)),
          element("tbody", {}, ...rows)));
    }

    // Following what changed

    update() {
      let problem = this.problem();
      if (!problem) {
        this.compute();
        problem = this.trouble();
      }
      this.faulty = Boolean(problem);
      const shifted = !problem && this.shown !== this.keyOf(this.state.normaliser);
      this.setStatus(problem);
      this.note.textContent = shifted ? this.say("shifted") : "";
      this.showNames();
      this.showStep();
      this.showTable();
      this.showHeat();
    }

    setStatus(text) {
      // A screen reader says a status again when it is written again.
      if (this.status.textContent !== text) this.status.textContent = text;
    }

    showNames() {
      const { tokens, query } = this.state;
      this.chooser.replaceChildren(...tokens.map((token, place) => element("option",
        { selected: place === query }, `${place + 1} ${token}`)));
      this.caption.replaceChildren(...this.phrase("attends", tokens[query]));
      tokens.forEach((token, place) => {
        this.heads[place].replaceChildren(word(token));
        this.choosers[place].replaceChildren(word(token));
        this.choosers[place].setAttribute("aria-label", this.say("choose", { token }));
        this.choosers[place].setAttribute("aria-pressed", String(place === query));
        const { line, inputs, remove } = this.rows[place];
        line.classList.toggle("attn-query", place === query);
        remove.setAttribute("aria-label", this.say("remove", { token }));
        inputs.forEach((input, column) => input.setAttribute("aria-label",
          this.say("numberAt", { token, place: column + 1 })));
      });
    }

    // A phrase with a token in it, which may be written from right to left.
    phrase(key, token) {
      const [before, after] = this.say(key, { token: "\u0000" }).split("\u0000");
      return [before, word(token), after ?? ""];
    }

    showStep() {
      const { step } = this.state;
      const steps = this.steps();
      for (const button of this.buttons) {
        if (button.dataset.step === step) button.setAttribute("aria-current", "step");
        else button.removeAttribute("aria-current");
      }
      this.previous.disabled = step === steps[0];
      this.next.disabled = step === steps.at(-1);
      this.showFormula(this.data.formulas[this.shown ?? this.keyOf(this.state.normaliser)][step] ?? []);
      this.lines.replaceChildren(...(this.faulty ? [] : this.linesOf(step)));
      this.projected.hidden = this.faulty || step !== "projection";
      this.projected.replaceChildren(...(this.projected.hidden ? [] : [this.projectedTable()]));
    }

    showFormula(numbers) {
      if (String(numbers) === this.formula.dataset.numbers) return;
      this.formula.dataset.numbers = String(numbers);
      this.formula.replaceChildren(...numbers.map((number) => this.typeset[number].cloneNode(true)));
      // What has to be scrolled to be read can be reached by key.
      for (const formula of this.formula.querySelectorAll(".attn-math")) {
        if (formula.scrollWidth > formula.clientWidth) formula.tabIndex = 0;
      }
    }

    projectedTable() {
      const names = ["Q", "K", "V"];
      const heads = names.flatMap((name) => this.arrays[name][0].map((_, at) => element("th", { scope: "col" },
        element("i", {}, name), element("sub", {}, String(at + 1)))));
      const rows = this.state.tokens.map((token, row) => element("tr", {},
        element("th", { scope: "row" }, word(token)),
        ...names.flatMap((name) => this.arrays[name][row].map((value) => element("td", {}, this.number(value))))));
      return element("table", {},
        element("thead", {}, element("tr", {},
          element("th", { scope: "col", class: "attn-left" }, this.say("token")), ...heads)),
        element("tbody", {}, ...rows));
    }

    linesOf(step) {
      const { tokens, query } = this.state;
      const { a, s, z, D, m, d, d_v: values } = this.arrays;
      const stages = this.stages();
      const i = query + 1;
      const keys = tokens.map((token, place) => [token, place + 1]);
      if (step === "projection") {
        return ["Q", "K", "V"].flatMap((name) => Array.from(
          { length: name === "V" ? values : d }, (_, at) => this.line(
            [element("i", {}, name), element("sub", {}, String(at + 1)), " ", word(tokens[query])],
            stages[name].line, this.arrays[name][query][at], i, at + 1)));
      }
      if (step === "score") {
        return keys.map(([token, j]) => this.line(
          [word(tokens[query]), " · ", word(token)], stages.s.line, s[query][j - 1], i, j));
      }
      if (step === "exponential") {
        const largest = m && stages.m
          ? [this.line([element("i", {}, "m")], stages.m.line, m[query], i)] : [];
        return [...largest, ...keys.map(([token, j]) => this.line(
          [word(token)], stages.D.termLine, stages.D.term(this.arrays, i, j), i, j))];
      }
      if (step === "sum") return [this.line([element("i", {}, "D")], stages.D.line, D[query], i)];
      if (step === "weight") {
        return keys.map(([token, j]) => this.line([word(token)], stages.a.line, a[query][j - 1], i, j));
      }
      return z[query].map((value, at) => this.line(
        [this.say("dimension", { place: at + 1 })], stages.z.line, value, i, at + 1));
    }

    stages() {
      const { stages, mechanisms } = globalThis.attentionFormulas;
      return Object.fromEntries(mechanisms[this.shown].map((number) => [stages[number].name, stages[number]]));
    }

    line(label, write, value, ...place) {
      // An equals sign stands where every number shown is what it stands for.
      const isExact = (number) => typeof number === "string"
        || Math.abs(Number(this.number(number)) - number) <= 1e-14 * Math.max(1, Math.abs(number));
      let exact = isExact(value);
      const show = (number) => {
        exact &&= isExact(number);
        return typeof number === "string" ? number : this.number(number);
      };
      const guard = (number) => (show(number).startsWith("-") ? `(${show(number)})` : show(number));
      const put = write(show, guard, this.arrays, this.written, ...place);
      const result = this.number(value);
      const worked = put && put !== result ? `${put} ${exact ? "=" : "≈"} ` : "";
      return element("li", {}, element("span", { class: "attn-label" }, ...label),
        put ? element("span", { class: "attn-line" }, worked, element("span", { class: "attn-value" }, result))
          : element("span", { class: "attn-line attn-label" }, this.say("hidden")));
    }

    showTable() {
      const { query, step, causal } = this.state;
      const steps = this.steps();
      const reached = (name) => steps.indexOf(name) <= steps.indexOf(step);
      const raised = steps.includes("exponential");
      for (const cell of [this.raisedHead, this.totals.exponential,
        ...this.rows.map(({ cells }) => cells.exponential)]) cell.hidden = !raised;
      const show = (cell, name, text) => {
        cell.firstChild.classList.toggle("attn-later", !reached(name));
        cell.firstChild.textContent = this.faulty ? "" : text;
      };
      this.rows.forEach(({ cells, fill }, place) => {
        const { s, a } = this.arrays ?? {};
        if (this.faulty) return Object.values(cells).forEach((cell) => show(cell, "score", ""));
        const seen = !causal || place <= query;
        show(cells.score, "score", this.number(s[query][place]));
        const value = raised && seen ? this.stages().D.term(this.arrays, query + 1, place + 1) : 0;
        show(cells.exponential, "exponential", seen ? this.number(value) : "–");
        show(cells.weight, "weight", this.number(a[query][place]));
        fill.style.width = reached("weight")
          ? `${(Math.min(Math.max(a[query][place], 0), 1) * 100).toFixed(1)}%` : "0";
      });
      const total = this.faulty || !steps.includes("sum") ? "" : this.number(this.arrays.D[query]);
      this.totalRow.hidden = !steps.includes("sum");
      show(this.totals.score, "sum", raised ? "" : total);
      show(this.totals.exponential, "sum", total);
      this.context.classList.toggle("attn-later", !reached("context"));
      this.context.replaceChildren(...this.phrase("context", this.state.tokens[query]), ": ",
        element("span", { class: "attn-walk-context" }, this.faulty ? ""
          : `[${this.arrays.z[query].map((value) => this.number(value)).join(", ")}]`));
    }

    showHeat() {
      const weights = this.faulty ? null : this.arrays.a;
      const strongest = weights
        ? Math.max(...weights.flat().filter(Number.isFinite).map(Math.abs), Number.MIN_VALUE) : 1;
      this.cells.forEach((cells, row) => cells.forEach((cell, column) => {
        const weight = weights ? weights[row][column] : NaN;
        cell.textContent = this.number(weight);
        cell.style.setProperty("--w", Number.isFinite(weight) ? (Math.abs(weight) / strongest).toFixed(3) : "0");
        cell.classList.toggle("attn-negative", weight < 0);
      }));
    }

    // What a reader does

    choose(changes, rebuild = true) {
      Object.assign(this.state, changes);
      if (!rebuild) return this.update();
      const name = document.activeElement?.name;
      const value = document.activeElement?.value;
      this.build();
      const same = [...this.live.querySelectorAll("input")]
        .find((input) => name && input.name === name && input.value === value);
      return same?.focus();
    }

    go(step) {
      this.state.step = step;
      this.showStep();
      this.showTable();
    }

    advance(way) {
      const steps = this.steps();
      const place = steps.indexOf(this.state.step) + way;
      if (steps[place]) this.go(steps[place]);
    }

    add() {
      this.state.tokens.push(this.say("newToken"));
      this.state.x.push(this.state.x[0].map(() => "0"));
      this.build();
      this.rows.at(-1).line.querySelector("input").focus();
    }

    remove(row) {
      this.state.tokens.splice(row, 1);
      this.state.x.splice(row, 1);
      const { query, tokens } = this.state;
      this.state.query = Math.max(0, Math.min(query > row ? query - 1 : query, tokens.length - 1));
      this.build();
      this.rows[Math.min(row, tokens.length - 1)].line.querySelector("input").focus();
    }

    reset() {
      this.state = this.initial();
      history.replaceState(null, "", location.pathname + location.search);
      this.build();
      this.live.querySelector(".attn-walk-tools button").focus();
    }

    // The link

    link() {
      const { state } = this;
      const initial = this.initial();
      const differs = (name) => JSON.stringify(state[name]) !== JSON.stringify(initial[name]);
      const said = new URLSearchParams();
      if (differs("tokens")) said.set("tokens", state.tokens.map(encodeURIComponent).join(","));
      if (differs("x")) said.set("x", state.x.map((row) => row.join(",")).join(";"));
      for (const [name, rows] of Object.entries(state.matrices)) {
        if (JSON.stringify(rows) !== JSON.stringify(initial.matrices[name])) {
          said.set(name, rows.map((row) => row.join(",")).join(";"));
        }
      }
      if (differs("query")) said.set("query", state.query + 1);
      if (state.step !== this.steps()[0]) said.set("step", state.step);
      if (differs("normaliser")) said.set("normaliser", state.normaliser);
      for (const name of ["scaled", "causal", "projected"]) {
        if (differs(name)) said.set(name, state[name] ? "yes" : "no");
      }
      return `#${this.section.id}?${said}`;
    }

    readLink() {
      const [id, said] = location.hash.slice(1).split("?");
      let name = id;
      try {
        name = decodeURIComponent(id);
      } catch {
        return;
      }
      if (name !== this.section.id || said === undefined) return;
      const state = this.stateOf(new URLSearchParams(said));
      this.state = state ?? this.initial();
      this.build();
      if (!state) this.setStatus(this.say("badLink"));
      this.section.scrollIntoView();
    }

    // A state from a link, or nothing where the link says something that no page of ours wrote.
    stateOf(said) {
      const state = this.initial();
      const rowsOf = (text) => text.split(";").map((row) => row.split(","));
      const good = (rows, height, width) => rows.length === height
        && rows.every((row) => row.length === width && row.every((text) => NUMBER.test(text)
          && Number.isFinite(Number(text))));
      try {
        for (const [name, text] of said) {
          if (name === "tokens") state.tokens = text.split(",").map(decodeURIComponent);
          else if (name === "x" || name in state.matrices) {
            if (name === "x") state.x = rowsOf(text);
            else state.matrices[name] = rowsOf(text);
          } else if (name === "query") state.query = Number(text) - 1;
          else if (name === "step") state.step = text;
          else if (name === "normaliser" && this.data.normalisers.includes(text)) state.normaliser = text;
          else if (["scaled", "causal", "projected"].includes(name)) state[name] = text === "yes";
          else return null;
        }
      } catch {
        return null;
      }
      const count = state.tokens.length;
      const whole = count >= 1 && count <= this.data.most && Number.isInteger(state.query)
        && state.query >= 0 && state.query < count
        && state.tokens.every((token) => token.trim() && token.length <= LONGEST_TOKEN
          && !/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/.test(token))
        && good(state.x, count, this.data.x[0].length)
        && Object.entries(state.matrices).every(([name, rows]) =>
          good(rows, this.data.matrices[name].length, this.data.matrices[name][0].length));
      return whole ? state : null;
    }

    async copyLink() {
      const address = location.href.split("#")[0] + this.link();
      history.replaceState(null, "", address);
      try {
        await navigator.clipboard.writeText(address);
        this.setStatus(this.say("copied"));
      } catch {
        this.setStatus(this.say("notCopied"));
      }
    }
  }

  function start() {
    for (const section of document.querySelectorAll(".attn-walk:not([data-live])")) {
      section.dataset.live = "";
      new StepThrough(section);
    }
  }

  // A theme that changes pages without loading them tells when it has.
  if (globalThis.document$) globalThis.document$.subscribe(start);
  else start();
})();
