"""Does Anthropic's own Python client, unmodified, work against Firstright? `it/sdk.rs` starts the world that it is run in.

The models behind it speak OpenAI's language: who serves a call is the law's matter and not the client's.
"""

import asyncio
import os
import time
from concurrent.futures import ThreadPoolExecutor

import anthropic

URL = os.environ["FIRSTRIGHT_URL"]
APP = os.environ["FIRSTRIGHT_APP_KEY"]
BANK = os.environ["FIRSTRIGHT_BANK_KEY"]
PATIENT = os.environ["FIRSTRIGHT_PATIENT_KEY"]
ASK = [{"role": "user", "content": "Who has the first right?"}]
CHAT_MODELS = ["gpt-4o", "gpt-4o-mini"]
WEATHER = {
    "name": "weather",
    "description": "The weather of a city",
    "input_schema": {
        "type": "object",
        "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
        "required": ["city", "days"],
    },
}


def client(key=APP, **options):
    options.setdefault("max_retries", 0)
    return anthropic.Anthropic(base_url=URL, api_key=key, timeout=30, **options)


def raised(kind, call):
    try:
        call()
    except kind as error:
        assert type(error) is kind, f"{type(error)} and not {kind}"
        return error
    raise AssertionError(f"{kind.__name__} was not raised")


def test_message():
    for model in CHAT_MODELS:
        answer = client().messages.create(model=model, messages=ASK, max_tokens=100, system="Be brief.")
        assert [block.type for block in answer.content] == ["text"], answer
        assert len(answer.content[0].text.split()) == 24 and answer.stop_reason == "end_turn", answer
        assert answer.usage.output_tokens == 24 and answer.usage.input_tokens > 0, answer.usage


def test_stream():
    for model in CHAT_MODELS:
        with client().messages.stream(model=model, messages=ASK, max_tokens=100) as stream:
            pieces = list(stream.text_stream)
            last = stream.get_final_message()
        assert len(pieces) > 3 and len("".join(pieces).split()) == 24, pieces
        assert last.usage.output_tokens == 24 and last.stop_reason == "end_turn", last


def test_asynchronous():
    async def run():
        options = {"base_url": URL, "api_key": APP, "max_retries": 0, "timeout": 30}
        async with anthropic.AsyncAnthropic(**options) as firstright:
            create = firstright.messages.create
            asked = (create(model=model, messages=ASK, max_tokens=100) for model in CHAT_MODELS)
            answers = await asyncio.gather(*asked)
            assert all(answer.usage.output_tokens == 24 for answer in answers), answers

    asyncio.run(run())


def test_tools():
    for model in CHAT_MODELS:
        asked = {"model": model, "max_tokens": 100, "tools": [WEATHER]}
        answer = client().messages.create(messages=ASK, tool_choice={"type": "tool", "name": "weather"}, **asked)
        (call,) = (block for block in answer.content if block.type == "tool_use")
        assert (call.name, call.input) == ("weather", {"city": "home", "days": 2}), answer
        assert answer.stop_reason == "tool_use", answer
        with client().messages.stream(messages=ASK, tool_choice={"type": "any"}, **asked) as stream:
            streamed = stream.get_final_message()
        (same,) = (block for block in streamed.content if block.type == "tool_use")
        assert same.input == call.input and streamed.stop_reason == "tool_use", streamed
        told = {"type": "tool_result", "tool_use_id": call.id, "content": "2 days of sun"}
        turns = [*ASK, {"role": "assistant", "content": answer.content}, {"role": "user", "content": [told]}]
        last = client().messages.create(messages=turns, **asked)
        assert len(last.content[0].text.split()) == 24, last


def test_errors():
    def ask(key=APP, **changes):
        asked = {"model": "gpt-4o", "messages": ASK, "max_tokens": 100, **changes}
        return lambda: client(key).messages.create(**asked)

    error = raised(anthropic.AuthenticationError, ask("wrong"))
    assert error.body["error"]["type"] == "authentication_error", error.body
    error = raised(anthropic.NotFoundError, ask(model="gpt-9"))
    assert error.body["error"]["type"] == "not_found_error", error.body
    error = raised(anthropic.PermissionDeniedError, ask(BANK, model="gpt-4o-mini"))
    assert error.body["error"]["type"] == "permission_error", error.body
    raised(anthropic.BadRequestError, ask(messages=[{"role": "user", "content": 7}]))


def test_waiting():
    # One request in two seconds, and three at once: the last wait so long that their streams begin with comments.
    def ask(_):
        with client(PATIENT).messages.stream(model="sliced", messages=ASK, max_tokens=1) as stream:
            last = stream.get_final_message()
            return "x-firstright-decision" in stream.response.headers, len(last.content[0].text.split())

    with ThreadPoolExecutor(3) as pool:
        answers = list(pool.map(ask, range(3)))
    assert all(words == 1 for _, words in answers), answers
    assert not all(decided for decided, _ in answers), answers


def test_retries():
    # Told not to try again, the client gives up at once.
    begun = time.monotonic()
    create = client(max_retries=6).messages.create
    raised(anthropic.InternalServerError, lambda: create(model="down", messages=ASK, max_tokens=1))
    assert time.monotonic() - begun < 5
    # Refused for want of room: it waits as long as it is told, and is served.
    for _ in range(3):
        assert create(model="sliced", messages=ASK, max_tokens=1).content


print(f"anthropic {anthropic.__version__}", flush=True)
for name, test in list(globals().items()):
    if name.startswith("test_"):
        begun = time.monotonic()
        print(name, flush=True)
        test()
        print(f"  {time.monotonic() - begun:.1f} s", flush=True)
print("all passed")
