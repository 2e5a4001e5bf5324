"use strict";
// Runs the script of a page as a browser would, one JSON request per line on standard input and one
// JSON answer per line on standard output:
//   {"id": number, "source": string, "runs": [{"key": string, "given": arrays}]}
//     ->  {"id": number, "results": [arrays]} or {"id": number, "error": string}
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
    return { id: request.id, results };
  } catch (error) {
    return { id: request.id, error: String(error && error.message) };
  }
}

function plain(key, value) {
  return typeof value === "number" && !Number.isFinite(value) ? String(value) : value;
}

readline.createInterface({ input: process.stdin, crlfDelay: Infinity }).on("line", (line) => {
  process.stdout.write(JSON.stringify(answer(JSON.parse(line)), plain) + "\n");
});
