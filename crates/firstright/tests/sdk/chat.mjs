// Does OpenAI's own Node client, unmodified, work against Firstright? `it/sdk.rs` starts the world that it is run in.

import assert from "node:assert/strict";
import { createRequire } from "node:module";

const require = createRequire(`${process.env.FIRSTRIGHT_NODE_CLIENT}/package.json`);
const openai = require("openai");

const URL = process.env.FIRSTRIGHT_URL;
const APP = process.env.FIRSTRIGHT_APP_KEY;
const BANK = process.env.FIRSTRIGHT_BANK_KEY;
const PATIENT = process.env.FIRSTRIGHT_PATIENT_KEY;
const ASK = [{ role: "user", content: "Who has the first right?" }];
// Azure speaks its own dialect and the other cloud speaks OpenAI's; a client must not be able to tell.
const CHAT_MODELS = ["gpt-4o", "gpt-4o-mini"];
// A stream of 24 tokens, 15 ms apart, is not a stream if all of it comes within so many milliseconds.
const STREAMED_MS = 100;

const client = (apiKey = APP, options = {}) =>
  new openai.OpenAI({ baseURL: `${URL}/v1`, apiKey, maxRetries: 0, timeout: 30_000, ...options });

const azureClient = () =>
  new openai.AzureOpenAI({
    endpoint: URL,
    apiVersion: "2024-10-21",
    apiKey: APP,
    maxRetries: 0,
    timeout: 30_000,
  });

/** Counts the requests that leave. */
function counted() {
  const sent = [];
  return { sent, fetch: (...request) => (sent.push(request), fetch(...request)) };
}

async function raised(kind, call) {
  try {
    await call();
  } catch (error) {
    assert.equal(error.constructor, kind, String(error));
    return error;
  }
  assert.fail(`${kind.name} was not raised`);
}

/** All of a stream came at once: the server's fault each time, or once that of a machine that is busy. */
class TooFast extends Error {}

/** Gives a check of a stream three tries; an answer that is held back fails all of them. */
async function streamed(check, tries = 3) {
  try {
    await check();
  } catch (error) {
    if (!(error instanceof TooFast) || tries === 1) throw error;
    await streamed(check, tries - 1);
  }
}

function inPieces(times) {
  const spread = times.at(-1) - times[0];
  if (times.length < 3 || spread < STREAMED_MS) throw new TooFast(`${times.length} pieces within ${spread} ms`);
}

/** Asks for a stream, and holds its chunks against what OpenAI would send. */
const checkChatStream = (openAi, usageAsked, options) =>
  streamed(async () => {
    const chunks = await openAi.chat.completions.create({ messages: ASK, stream: true, ...options });
    await readChatStream(chunks, usageAsked);
  });

async function readChatStream(chunks, usageAsked) {
  const [text, times, usages] = [[], [], []];
  let finish = null;
  for await (const chunk of chunks) {
    if (chunk.usage) usages.push([chunk.usage, chunk.choices.length]);
    // Azure says what it thinks of the prompt before it answers; nothing else comes without a choice.
    else if (chunk.choices.length === 0) assert.ok(chunk.prompt_filter_results, JSON.stringify(chunk));
    for (const choice of chunk.choices) {
      if (choice.delta.content) {
        text.push(choice.delta.content);
        times.push(performance.now());
      }
      finish = choice.finish_reason ?? finish;
    }
  }
  assert.equal(text.join("").trim().split(/\s+/).length, 24);
  assert.equal(finish, "stop");
  assert.equal(usages.length, usageAsked ? 1 : 0, JSON.stringify(usages));
  if (usageAsked) {
    assert.equal(usages[0][0].completion_tokens, 24);
    assert.equal(usages[0][1], 0);
  }
  inPieces(times);
}

const tests = {
  async models() {
    const ids = (await client().models.list()).data.map((model) => model.id);
    assert.ok(CHAT_MODELS.every((model) => ids.includes(model)), ids.join());
    assert.equal((await client().models.retrieve("gpt-4o")).id, "gpt-4o");
    await raised(openai.NotFoundError, () => client().models.retrieve("gpt-9"));
  },

  async chat() {
    for (const model of CHAT_MODELS) {
      const answer = await client().chat.completions.create({ model, messages: ASK });
      assert.equal(answer.choices[0].message.content.trim().split(/\s+/).length, 24);
      assert.equal(answer.usage.completion_tokens, 24);
    }
  },

  async chatStream() {
    for (const model of CHAT_MODELS) {
      await checkChatStream(client(), false, { model });
      await checkChatStream(client(), true, { model, stream_options: { include_usage: true } });
      await checkChatStream(client(), false, { model, stream_options: { include_usage: false } });
    }
  },

  async chatLeftEarly() {
    const stream = await client().chat.completions.create({ model: "gpt-4o", messages: ASK, stream: true });
    for await (const _ of stream) break;
    assert.ok((await client().chat.completions.create({ model: "gpt-4o", messages: ASK })).choices.length);
  },

  async responses() {
    for (const model of CHAT_MODELS) {
      const answer = await client().responses.create({ model, input: "Who has the first right?" });
      assert.equal(answer.status, "completed");
      assert.equal(answer.output_text.trim().split(/\s+/).length, 24);
    }
  },

  async responsesStream() {
    for (const model of CHAT_MODELS) {
      await streamed(async () => {
        const [kinds, times] = [[], []];
        let last;
        for await (const event of await client().responses.create({ model, input: "Who?", stream: true })) {
          kinds.push(event.type);
          if (event.type === "response.output_text.delta") times.push(performance.now());
          last = event;
        }
        assert.equal(kinds[0], "response.created");
        assert.equal(kinds.at(-1), "response.completed");
        assert.equal(last.response.usage.output_tokens, 24);
        inPieces(times);
      });
    }
  },

  async embeddings() {
    const ask = { model: "text-embedding-3-large", input: ["one", "two"], dimensions: 64 };
    const answer = await client().embeddings.create(ask);
    assert.deepEqual(answer.data.map((one) => one.embedding.length), [64, 64]);
    const plain = await client().embeddings.create({ ...ask, encoding_format: "float" });
    assert.equal(plain.data[1].embedding.length, 64);
  },

  async images() {
    const answer = await client().images.generate({ model: "gpt-image-1", prompt: "A bill of lading" });
    assert.ok(answer.data[0].b64_json);
  },

  async files() {
    const lines = '{"custom_id": "1"}\n';
    const file = await openai.toFile(Buffer.from(lines), "lines.jsonl");
    const made = await client().files.create({ file, purpose: "user_data" });
    assert.deepEqual([made.filename, made.bytes], ["lines.jsonl", lines.length]);
    assert.equal((await client().files.retrieve(made.id)).id, made.id);
    assert.equal(await (await client().files.content(made.id)).text(), lines);
    assert.ok((await client().files.delete(made.id)).deleted);
    await raised(openai.NotFoundError, () => client().files.retrieve(made.id));
  },

  async azureClient() {
    const azure = azureClient();
    const answer = await azure.chat.completions.create({ model: "gpt-4o-mini", messages: ASK });
    assert.equal(answer.model, "gpt-4o-mini-2024-07-18");
    await checkChatStream(azure, false, { model: "gpt-4o" });
    assert.equal((await azure.responses.create({ model: "gpt-4o", input: "Who?" })).usage.output_tokens, 24);
    assert.ok((await azure.embeddings.create({ model: "text-embedding-3-large", input: "one" })).data.length);
    assert.ok((await azure.images.generate({ model: "gpt-image-1", prompt: "A bill" })).data[0].b64_json);
  },

  async azureV1() {
    // The newer way to Azure: OpenAI's client with Azure's path, whose models are deployments.
    const plain = client(APP, { baseURL: `${URL}/openai/v1` });
    for (const model of CHAT_MODELS) {
      assert.equal((await plain.chat.completions.create({ model, messages: ASK })).usage.completion_tokens, 24);
      assert.equal((await plain.responses.create({ model, input: "Who?" })).usage.output_tokens, 24);
    }
    // Azure's client with that path names the deployment in the path nevertheless.
    const options = { baseURL: `${URL}/openai/v1`, apiVersion: "preview", apiKey: APP, maxRetries: 0 };
    const azure = new openai.AzureOpenAI(options);
    assert.ok((await azure.chat.completions.create({ model: "gpt-4o", messages: ASK })).choices.length);
  },

  async tools() {
    const parameters = { type: "object", properties: { city: { type: "string" }, days: { type: "integer" } } };
    const tools = [{ type: "function", function: { name: "weather", parameters } }];
    for (const model of CHAT_MODELS) {
      const asked = { model, messages: ASK, tools, tool_choice: "required" };
      const [choice] = (await client().chat.completions.create(asked)).choices;
      const called = JSON.parse(choice.message.tool_calls[0].function.arguments);
      assert.deepEqual(called, { city: "home", days: 2 });
      const whole = await client().chat.completions.stream(asked).finalChatCompletion();
      assert.equal(whole.choices[0].finish_reason, "tool_calls");
      assert.deepEqual(JSON.parse(whole.choices[0].message.tool_calls[0].function.arguments), called);
    }
  },

  async headers() {
    const asked = client().chat.completions.create({ model: "gpt-4o", messages: ASK }).withResponse();
    const { data, response } = await asked;
    assert.equal(response.headers.get("x-firstright-provider"), "azure");
    assert.ok(Number(response.headers.get("x-firstright-decision")) > 0);
    assert.match(response.headers.get("x-firstright-ground"), /microsoft\/first/);
    assert.equal(data.usage.completion_tokens, 24);
  },

  async errors() {
    const chat = (key, model) => client(key).chat.completions.create({ model, messages: ASK });
    assert.equal((await raised(openai.AuthenticationError, () => chat("wrong", "gpt-4o"))).code, "invalid_api_key");
    const missing = await raised(openai.NotFoundError, () => chat(APP, "gpt-9"));
    assert.deepEqual([missing.code, missing.param], ["model_not_found", "model"]);
    const denied = await raised(openai.PermissionDeniedError, () => chat(BANK, "gpt-4o-mini"));
    assert.equal(denied.code, "model_not_permitted");
  },

  async exclusiveAtCapacity() {
    const narrow = (key, more) =>
      client(key).chat.completions.create({ model: "narrow", messages: ASK, max_tokens: 300, ...more });
    const first = await narrow(BANK, { stream: true });
    // While that answer is under way, Azure has no room: the bank waits, although there is room elsewhere.
    const error = await raised(openai.RateLimitError, () => narrow(BANK));
    assert.equal(error.code, "capacity_exhausted");
    assert.equal(error.headers.get("x-should-retry"), "true");
    const other = await narrow(APP).withResponse();
    assert.equal(other.response.headers.get("x-firstright-provider"), "oracle");
    assert.match(other.response.headers.get("x-firstright-ground"), /FR-4/);
    let text = "";
    for await (const chunk of first) text += chunk.choices[0]?.delta.content ?? "";
    assert.equal(text.trim().split(/\s+/).length, 40);
  },

  async waiting() {
    // One request in two seconds, and three at once: the last wait so long that their streams begin with comments.
    const ask = async () => {
      const asked = { model: "sliced", messages: ASK, max_tokens: 1, stream: true };
      const { data, response } = await client(PATIENT).chat.completions.create(asked).withResponse();
      let text = "";
      for await (const chunk of data) text += chunk.choices[0]?.delta.content ?? "";
      return [text.trim().split(/\s+/).length, response.headers.has("x-firstright-decision")];
    };
    const answers = await Promise.all([ask(), ask(), ask()]);
    assert.ok(answers.every(([words]) => words === 1), JSON.stringify(answers));
    assert.ok(answers.some(([, decided]) => !decided), JSON.stringify(answers));
  },

  async retries() {
    // Refused for want of room: the client waits as long as it is told, tries again, and is served.
    const served = counted();
    const patient = client(APP, { fetch: served.fetch, maxRetries: 3 });
    let calls = 0;
    // Two in one slice, which a busy machine may not manage at once.
    while (calls === served.sent.length && calls < 10) {
      calls += 1;
      await patient.chat.completions.create({ model: "sliced", messages: ASK, max_tokens: 1 });
    }
    const retries = served.sent.length - calls;
    assert.ok(retries >= 1 && retries <= 2, `${retries} retries in ${calls} calls`);
    // Everybody failed: a 502 that the client would try again by itself, if it were not told otherwise.
    const failed = counted();
    const eager = client(APP, { fetch: failed.fetch, maxRetries: 3 });
    const ask = () => eager.chat.completions.create({ model: "down", messages: ASK });
    const error = await raised(openai.InternalServerError, ask);
    assert.deepEqual([error.status, error.code], [502, "providers_failed"]);
    assert.equal(failed.sent.length, 1);
  },
};

console.log(`openai ${require("openai/version").VERSION}, node ${process.version}`);
for (const [name, test] of Object.entries(tests)) {
  console.log(name);
  await test();
}
console.log("all passed");
