"use strict";
// Renders LaTeX with KaTeX, one JSON request per line on standard input and one JSON answer
// per line on standard output:
//   {"id": number, "latex": string, "display": boolean, "definitions": boolean}
//     ->  {"id": number, "html": string} or {"id": number, "error": string}
// Usage: node katex_child.js /path/to/katex.min.js

const readline = require("node:readline");
const katex = require(process.argv[2]);

const TRUSTED = new Set(["\\htmlClass", "\\htmlData"]);
const REFUSED = {
  "formulas carry no links, images or styles":
    ["\\href", "\\url", "\\includegraphics", "\\htmlId", "\\htmlStyle"],
  "it prints to the terminal and sets nothing": ["\\message", "\\errmessage", "\\show"],
  "a few of them in a row would fill the memory": ["\\edef", "\\xdef"],
};

// What a formula by a stranger's hand may not do either.
const DEFINITIONS = {
  "a formula in a line of text defines nothing": [
    "\\def", "\\gdef", "\\let", "\\futurelet", "\\global", "\\long",
    "\\newcommand", "\\renewcommand", "\\providecommand",
  ],
};

// Standard output carries the answers and nothing else: what KaTeX printed there would be taken for
// the answer to this request, and this answer for that to the next.
for (const level of ["log", "info", "debug", "warn", "error", "trace", "dir"]) {
  console[level] = () => {};
}

// An untrusted command would be set in red as its own name; a page must not carry that, so the
// refused commands are macros that throw.
function refusals(refused) {
  const macros = {};
  for (const [reason, commands] of Object.entries(refused)) {
    for (const command of commands) {
      macros[command] = () => {
        throw new katex.ParseError(command + " is refused: " + reason);
      };
    }
  }
  return macros;
}

// What strict mode would refuse and formulas here may hold: the marks on the terms of a sum, and,
// inside \text, the emoji and rarer scripts of a token, which browsers have fonts for.
function strict(code, message) {
  const marksTerm = code === "htmlExtension";
  const foreignText = code === "symbolNotInFont" && message.endsWith("mode 'text'");
  return marksTerm || foreignText || code === "unknownSymbol" ? "ignore" : "error";
}

function answer(request) {
  try {
    const html = katex.renderToString(request.latex, {
      displayMode: request.display,
      output: "htmlAndMathml",
      throwOnError: true,
      strict,
      trust: (context) => TRUSTED.has(context.command),
      // \gdef writes into this object: a fresh one keeps formulas independent of each other.
      macros: refusals(request.definitions ? REFUSED : { ...REFUSED, ...DEFINITIONS }),
    });
    return { id: request.id, html };
  } catch (error) {
    return { id: request.id, error: String(error.message) };
  }
}

readline.createInterface({ input: process.stdin, crlfDelay: Infinity }).on("line", (line) => {
  process.stdout.write(JSON.stringify(answer(JSON.parse(line))) + "\n");
});
