// Does Vercel's AI SDK, unmodified, work against Firstright? `it/sdk.rs` starts the world that it is run in.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const require = createRequire(`${process.env.FIRSTRIGHT_NODE_CLIENT}/package.json`);
const load = (name) => import(pathToFileURL(require.resolve(name)).href);
const { APICallError, embedMany, generateText, streamText, tool } = await load("ai");
const { createOpenAI } = await load("@ai-sdk/openai");
const { createOpenAICompatible } = await load("@ai-sdk/openai-compatible");
const { z } = await load("zod");

const URL = process.env.FIRSTRIGHT_URL;
const APP = process.env.FIRSTRIGHT_APP_KEY;
const BANK = process.env.FIRSTRIGHT_BANK_KEY;
const prompt = "Who has the first right?";
const CHAT_MODELS = ["gpt-4o", "gpt-4o-mini"];

const openai = (apiKey = APP, options = {}) => createOpenAI({ baseURL: `${URL}/v1`, apiKey, ...options });
const compatible = createOpenAICompatible({ name: "firstright", baseURL: `${URL}/v1`, apiKey: APP, includeUsage: true });
/** The same model by each of the ways to it. */
const ways = (name) => [openai().chat(name), openai().responses(name), compatible(name)];

/** Counts the requests that leave. */
function counted() {
  const sent = [];
  return { sent, fetch: (...request) => (sent.push(request), fetch(...request)) };
}

async function raised(call) {
  try {
    await call();
  } catch (error) {
    assert.ok(APICallError.isInstance(error), String(error));
    return { ...JSON.parse(error.responseBody).error, status: error.statusCode, retries: error.isRetryable };
  }
  assert.fail("nothing was raised");
}

const weather = tool({
  description: "The weather of a city",
  inputSchema: z.object({ city: z.string(), days: z.number().int() }),
  execute: async ({ city, days }) => `${days} days of sun in ${city}`,
});

const tests = {
  async text() {
    for (const model of CHAT_MODELS.flatMap(ways)) {
      const { text, usage, finishReason } = await generateText({ model, prompt, maxRetries: 0 });
      assert.equal(text.trim().split(/\s+/).length, 24);
      assert.equal(usage.outputTokens, 24);
      assert.equal(finishReason, "stop");
    }
  },

  async stream() {
    for (const model of CHAT_MODELS.flatMap(ways)) {
      const { textStream, usage } = streamText({ model, prompt, maxRetries: 0 });
      const pieces = [];
      for await (const piece of textStream) pieces.push(piece);
      assert.ok(pieces.length > 3, `${pieces.length} pieces`);
      assert.equal(pieces.join("").trim().split(/\s+/).length, 24);
      assert.equal((await usage).outputTokens, 24);
    }
  },

  async tools() {
    for (const model of CHAT_MODELS.flatMap((name) => [openai().chat(name), compatible(name)])) {
      const asked = { model, prompt, tools: { weather }, toolChoice: "required", maxRetries: 0 };
      const answer = await generateText(asked);
      assert.deepEqual(answer.toolCalls[0].input, { city: "home", days: 2 });
      assert.equal(answer.toolResults[0].output, "2 days of sun in home");
      const stream = streamText(asked);
      await stream.consumeStream();
      assert.deepEqual((await stream.toolCalls)[0].input, { city: "home", days: 2 });
      assert.equal(await stream.finishReason, "tool-calls");
    }
  },

  async embeddings() {
    for (const model of [openai().embedding("text-embedding-3-large"), compatible.embeddingModel("text-embedding-3-large")]) {
      const { embeddings } = await embedMany({ model, values: ["one", "two"], maxRetries: 0 });
      assert.equal(embeddings.length, 2);
      assert.ok(embeddings[0].length > 8);
    }
  },

  async errors() {
    const ask = (model) => raised(() => generateText({ model, prompt, maxRetries: 0 }));
    assert.equal((await ask(openai("wrong").chat("gpt-4o"))).code, "invalid_api_key");
    assert.equal((await ask(openai().chat("gpt-9"))).code, "model_not_found");
    assert.equal((await ask(openai(BANK).chat("gpt-4o-mini"))).code, "model_not_permitted");
  },

  async retries() {
    // Two in one slice, which a busy machine may not manage at once: the second is told to wait, and waits.
    const { sent, fetch } = counted();
    const model = openai(APP, { fetch }).chat("sliced");
    let calls = 0;
    while (calls === sent.length && calls < 10) {
      calls += 1;
      assert.ok((await generateText({ model, prompt, maxOutputTokens: 16, maxRetries: 3 })).text);
    }
    assert.ok(sent.length > calls, `${sent.length} requests for ${calls} calls`);
  },
};

for (const [name, test] of Object.entries(tests)) {
  const begun = performance.now();
  console.log(name);
  await test();
  console.log(`  ${((performance.now() - begun) / 1000).toFixed(1)} s`);
}
console.log("all passed");
