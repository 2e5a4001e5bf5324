"use strict";
// Runs the script of a page as a browser would, one JSON request per line on standard input and one
// JSON answer per line on standard output:
//   {"source": string, "runs": [{"key": string, "given": arrays}]}  ->  {"results": [arrays]}
//   or {"error": string}
// A number that JSON cannot hold comes as text: "NaN", "Infinity".

const readline = require("node:readline");
const vm = require("node:vm");

function answer(request) {
  try {
    const page = vm.createContext({});
    vm.runInContext(request.source, page);
    page.runs = request.runs;
    const results = vm.runInContext(
      "runs.map(({ key, given }) => attentionWorkOut(key, given))", page);
    return { results };
  } catch (error) {
    return { error: String(error && error.message) };
  }
}

function plain(key, value) {
  return typeof value === "number" && !Number.isFinite(value) ? String(value) : value;
}

readline.createInterface({ input: process.stdin, crlfDelay: Infinity }).on("line", (line) => {
  process.stdout.write(JSON.stringify(answer(JSON.parse(line)), plain) + "\n");
});
