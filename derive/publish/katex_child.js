"use strict";
// Renders LaTeX with KaTeX, one JSON request per line on standard input and one JSON answer
// per line on standard output:
//   {"latex": string, "display": boolean}  ->  {"html": string} or {"error": string}
// Usage: node katex_child.js /path/to/katex.min.js

const readline = require("node:readline");
const katex = require(process.argv[2]);

const TRUSTED = new Set(["\\htmlClass", "\\htmlData"]);
const REFUSED = ["\\href", "\\url", "\\includegraphics", "\\htmlId", "\\htmlStyle"];

// An untrusted command would be set in red as its own name; a page must not carry that, so the
// refused commands are macros that throw.
function refusals() {
  const macros = {};
  for (const command of REFUSED) {
    macros[command] = () => {
      throw new katex.ParseError(command + " is refused: formulas carry no links, images or styles");
    };
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
      macros: refusals(),
    });
    return { html };
  } catch (error) {
    return { error: String(error.message) };
  }
}

readline.createInterface({ input: process.stdin, crlfDelay: Infinity }).on("line", (line) => {
  process.stdout.write(JSON.stringify(answer(JSON.parse(line))) + "\n");
});
