// Ask networks for a test in Python: cases of JSON come in, and what each network says goes out.
//
// A case: {header, weights {name: base64}, features, previous, forgets}, of the steps of one life after the other.

import { text } from "node:stream/consumers";

import { makeNetwork, whyUnknown } from "townlet/network/network.js";

/** Numbers of base64, which may lie anywhere in a buffer. */
const numbersOf = (coded) => new Float32Array(Uint8Array.from(Buffer.from(coded, "base64")).buffer);
const codeOf = (rows) => Buffer.concat(rows.map((row) => Buffer.from(row.buffer))).toString("base64");

function answer({ header, weights, features, previous, forgets }) {
  const unknown = whyUnknown(header);
  if (unknown !== null) return { unknown };
  const all = header.weights.map(({ name, shape }) => [name, { shape, numbers: numbersOf(weights[name]) }]);
  const network = makeNetwork({ header, weights: new Map(all) });
  const seen = numbersOf(features), width = seen.length / previous.length;
  const said = { q: [], blank: [], memory: [] };
  let memory = network.initialMemory();
  for (const [step, action] of previous.entries()) {
    if (forgets[step]) memory = network.forget(memory);
    const row = seen.subarray(step * width, (step + 1) * width);
    said.memory.push(network.flatten(memory));
    said.blank.push(network.q(row, action, network.initialMemory()).q);
    const { q, memory: after } = network.q(row, action, memory);
    said.q.push(q);
    memory = after;
  }
  return Object.fromEntries(Object.entries(said).map(([name, rows]) => [name, codeOf(rows)]));
}

process.stdout.write(JSON.stringify(JSON.parse(await text(process.stdin)).map(answer)));
