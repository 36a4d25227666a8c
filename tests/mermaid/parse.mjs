// Feeds files to mermaid's own parser.
//
//     node parse.mjs FILE ...
//
// Prints a line for each file that it accepts, `FILE: KIND`; names each other one on standard error, with what the parser
// said, and then ends with 1. Run it in the folder that .ci/mermaid prints: the packages are there.

import { readFile } from "node:fs/promises";
import { JSDOM } from "jsdom";

// mermaid cleans labels with a library that wants a browser's window.
const { window } = new JSDOM("");
globalThis.window = window;
globalThis.document = window.document;
const { default: mermaid } = await import("mermaid");

const files = process.argv.slice(2);
if (files.length === 0) {
  console.error("usage: node parse.mjs FILE ...");
  process.exit(2);
}
for (const file of files) {
  try {
    const { diagramType } = await mermaid.parse(await readFile(file, "utf8"));
    console.log(`${file}: ${diagramType}`);
  } catch (error) {
    console.error(`${file}: ${error.message}`);
    process.exitCode = 1;
  }
}
