"""Does OpenAI's own Python client, unmodified, work against Firstright? `it/sdk.rs` starts the world that it is run in."""

import asyncio
import json
import os
import time
from concurrent.futures import ThreadPoolExecutor

import openai

URL = os.environ["FIRSTRIGHT_URL"]
APP = os.environ["FIRSTRIGHT_APP_KEY"]
BANK = os.environ["FIRSTRIGHT_BANK_KEY"]
PATIENT = os.environ["FIRSTRIGHT_PATIENT_KEY"]
ASK = [{"role": "user", "content": "Who has the first right?"}]
# Azure speaks its own dialect and the other cloud speaks OpenAI's; a client must not be able to tell.
CHAT_MODELS = ["gpt-4o", "gpt-4o-mini"]
# A stream of 24 tokens, 15 ms apart, is not a stream if all of it comes within this many seconds.
STREAMED = 0.1


def client(key=APP, **options):
    options.setdefault("max_retries", 0)
    return openai.OpenAI(base_url=f"{URL}/v1", api_key=key, timeout=30, **options)


def azure_client():
    return openai.AzureOpenAI(
        azure_endpoint=URL, api_version="2024-10-21", api_key=APP, max_retries=0, timeout=30
    )


def counted():
    """An HTTP client, and the list of requests that leave by it."""
    sent = []
    return openai.DefaultHttpxClient(event_hooks={"request": [sent.append]}), sent


def raised(kind, call):
    try:
        call()
    except kind as error:
        assert type(error) is kind, f"{type(error)} and not {kind}"
        return error
    raise AssertionError(f"{kind.__name__} was not raised")


class TooFast(AssertionError):
    """All of a stream came at once: the server's fault each time, or once that of a machine that is busy."""


def streamed(check):
    """Gives a check of a stream three tries; an answer that is held back fails all of them."""
    for _ in range(2):
        try:
            return check()
        except TooFast:
            pass
    return check()


def in_pieces(times):
    if len(times) < 3 or times[-1] - times[0] < STREAMED:
        raise TooFast(f"{len(times)} pieces, {times[-1] - times[0]} s from first to last")


def check_chat_stream(create, usage_asked, **options):
    """Asks for a stream, and holds its chunks against what OpenAI would send."""
    streamed(lambda: read_chat_stream(create(messages=ASK, stream=True, **options), usage_asked))


def read_chat_stream(chunks, usage_asked):
    text, times, usages, finish = [], [], [], None
    for chunk in chunks:
        if chunk.usage is not None:
            usages.append((chunk.usage, len(chunk.choices)))
        elif not chunk.choices:
            # Azure says what it thinks of the prompt before it answers; nothing else comes without a choice.
            assert chunk.model_extra.get("prompt_filter_results"), chunk
        for choice in chunk.choices:
            if choice.delta.content:
                text.append(choice.delta.content)
                times.append(time.monotonic())
            finish = choice.finish_reason or finish
    assert len("".join(text).split()) == 24, text
    assert finish == "stop", finish
    if usage_asked:
        assert len(usages) == 1 and usages[0][1] == 0, usages
        assert usages[0][0].completion_tokens == 24, usages
    else:
        assert usages == [], usages
    in_pieces(times)


def test_models():
    assert {model.id for model in client().models.list()} >= {"gpt-4o", "gpt-4o-mini", "gpt-image-1"}
    assert {model.id for model in client(BANK).models.list()} == {"gpt-4o", "narrow"}
    assert client().models.retrieve("gpt-4o").id == "gpt-4o"
    raised(openai.NotFoundError, lambda: client().models.retrieve("gpt-9"))


def test_chat():
    for model in CHAT_MODELS:
        answer = client().chat.completions.create(model=model, messages=ASK)
        assert len(answer.choices[0].message.content.split()) == 24, answer
        assert answer.choices[0].finish_reason == "stop"
        assert answer.usage.completion_tokens == 24 and answer.usage.prompt_tokens > 0


def test_chat_stream():
    for model in CHAT_MODELS:
        create = client().chat.completions.create
        check_chat_stream(create, False, model=model)
        check_chat_stream(create, True, model=model, stream_options={"include_usage": True})
        check_chat_stream(create, False, model=model, stream_options={"include_usage": False})


def test_chat_left_early():
    stream = client().chat.completions.create(model="gpt-4o", messages=ASK, stream=True)
    next(iter(stream))
    stream.close()
    assert client().chat.completions.create(model="gpt-4o", messages=ASK).choices


def test_asynchronous():
    async def run():
        options = {"base_url": f"{URL}/v1", "api_key": APP, "max_retries": 0, "timeout": 30}
        async with openai.AsyncOpenAI(**options) as firstright:
            create = firstright.chat.completions.create
            answers = await asyncio.gather(*(create(model=model, messages=ASK) for model in CHAT_MODELS))
            assert all(answer.usage.completion_tokens == 24 for answer in answers), answers
            stream = await create(model="gpt-4o", messages=ASK, stream=True)
            pieces = [chunk async for chunk in stream if chunk.choices and chunk.choices[0].delta.content]
            assert len(pieces) >= 3, pieces

    asyncio.run(run())


def test_responses():
    for model in CHAT_MODELS:
        answer = client().responses.create(model=model, input="Who has the first right?")
        assert answer.status == "completed" and len(answer.output_text.split()) == 24, answer
        assert answer.usage.output_tokens == 24


def test_responses_stream():
    def check():
        deltas, times, kinds, last = [], [], [], None
        stream = client().responses.create(model=model, input="Who has the first right?", stream=True)
        for event in stream:
            kinds.append(event.type)
            if event.type == "response.output_text.delta":
                deltas.append(event.delta)
                times.append(time.monotonic())
            last = event
        assert kinds[0] == "response.created" and kinds[-1] == "response.completed", kinds
        assert "".join(deltas) == last.response.output_text
        assert last.response.usage.output_tokens == 24
        in_pieces(times)

    for model in CHAT_MODELS:
        streamed(check)


def test_embeddings():
    answer = client().embeddings.create(model="text-embedding-3-large", input=["one", "two"], dimensions=64)
    assert [len(one.embedding) for one in answer.data] == [64, 64]
    assert all(isinstance(value, float) for value in answer.data[0].embedding)
    plain = client().embeddings.create(
        model="text-embedding-3-large", input="one", dimensions=8, encoding_format="float"
    )
    assert len(plain.data[0].embedding) == 8 and plain.usage.prompt_tokens > 0


def test_images():
    answer = client().images.generate(model="gpt-image-1", prompt="A bill of lading", size="1024x1024")
    assert answer.data[0].b64_json, answer


def test_files():
    lines = b'{"custom_id": "1"}\n'
    made = client().files.create(file=("lines.jsonl", lines), purpose="user_data")
    assert (made.filename, made.bytes, made.purpose) == ("lines.jsonl", len(lines), "user_data"), made
    # Whoever keeps it is in its id, signed: it is read where it was put, and by nobody else.
    assert client().files.retrieve(made.id).id == made.id
    assert client().files.content(made.id).read() == lines
    error = raised(openai.NotFoundError, lambda: client(BANK).files.content(made.id))
    assert error.code == "home_unknown", error.body
    raised(openai.NotFoundError, lambda: client().files.content("file-sandbox000001"))
    assert client().files.delete(made.id).deleted
    raised(openai.NotFoundError, lambda: client().files.retrieve(made.id))
    # The lines of a batch's file are read as requests are.
    put = lambda lines: client().files.create(file=("lines.jsonl", lines), purpose="batch")
    error = raised(openai.BadRequestError, lambda: put(lines))
    assert error.param == "file[1].method", error.body
    line = b'{"custom_id": "1", "method": "POST", "url": "/v1/responses", "body": {"model": "gpt-4o", "input": "Who?"}}\n'
    assert put(line).purpose == "batch"


def test_azure_client():
    azure = azure_client()
    answer = azure.chat.completions.create(model="gpt-4o", messages=ASK)
    assert answer.usage.completion_tokens == 24
    # The model is the path's, whoever serves it.
    answer = azure.chat.completions.create(model="gpt-4o-mini", messages=ASK)
    assert answer.model == "gpt-4o-mini-2024-07-18", answer.model
    check_chat_stream(azure.chat.completions.create, False, model="gpt-4o")
    assert azure.responses.create(model="gpt-4o", input="Who?").usage.output_tokens == 24
    assert azure.embeddings.create(model="text-embedding-3-large", input="one").data[0].embedding
    assert azure.images.generate(model="gpt-image-1", prompt="A bill of lading").data[0].b64_json
    assert {model.id for model in azure.models.list()} >= {"gpt-4o"}


def test_azure_v1():
    # The newer way to Azure: OpenAI's client with Azure's path, whose models are deployments.
    plain = openai.OpenAI(base_url=f"{URL}/openai/v1", api_key=APP, max_retries=0, timeout=30)
    for model in CHAT_MODELS:
        assert plain.chat.completions.create(model=model, messages=ASK).usage.completion_tokens == 24
        check_chat_stream(plain.chat.completions.create, False, model=model)
        assert plain.responses.create(model=model, input="Who?").usage.output_tokens == 24
    assert plain.embeddings.create(model="text-embedding-3-large", input="one").data[0].embedding
    # Azure's client with that path names the deployment in the path nevertheless.
    azure = openai.AzureOpenAI(
        base_url=f"{URL}/openai/v1", api_version="preview", api_key=APP, max_retries=0, timeout=30
    )
    assert azure.chat.completions.create(model="gpt-4o", messages=ASK).usage.completion_tokens == 24


def test_tools():
    parameters = {"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}}
    tools = [{"type": "function", "function": {"name": "weather", "parameters": parameters}}]
    for model in CHAT_MODELS:
        create = client().chat.completions.create
        asked = {"model": model, "messages": ASK, "tools": tools, "tool_choice": "required"}
        choice = create(**asked).choices[0]
        (call,) = choice.message.tool_calls
        assert choice.finish_reason == "tool_calls" and call.function.name == "weather", choice
        arguments = json.loads(call.function.arguments)
        assert arguments == {"city": "home", "days": 2}, arguments
        names, pieces = [], []
        for chunk in create(**asked, stream=True):
            for delta in (one for choice in chunk.choices for one in choice.delta.tool_calls or []):
                names.append(delta.function.name)
                pieces.append(delta.function.arguments or "")
        assert [name for name in names if name] == ["weather"], names
        assert json.loads("".join(pieces)) == arguments, pieces


def test_headers():
    answer = client().chat.completions.with_raw_response.create(model="gpt-4o", messages=ASK)
    assert answer.headers["x-firstright-provider"] == "azure"
    assert int(answer.headers["x-firstright-decision"]) > 0
    assert "microsoft/first" in answer.headers["x-firstright-ground"], answer.headers
    assert answer.parse().usage.completion_tokens == 24
    create = client().chat.completions.with_streaming_response.create
    with create(model="gpt-4o-mini", messages=ASK, stream=True) as answered:
        assert answered.headers["x-firstright-provider"] == "oracle"
        assert int(answered.headers["x-firstright-decision"]) > int(answer.headers["x-firstright-decision"])
        assert answered.headers["x-firstright-ground"]
        assert len(list(answered.parse())) > 3


def test_errors():
    error = raised(openai.AuthenticationError, lambda: client("wrong").models.list())
    assert error.code == "invalid_api_key", error.body
    error = raised(
        openai.AuthenticationError, lambda: client("wrong").chat.completions.create(model="gpt-4o", messages=ASK)
    )
    assert error.code == "invalid_api_key", error.body
    error = raised(openai.NotFoundError, lambda: client().chat.completions.create(model="gpt-9", messages=ASK))
    assert (error.code, error.param) == ("model_not_found", "model"), error.body
    error = raised(
        openai.PermissionDeniedError,
        lambda: client(BANK).chat.completions.create(model="gpt-4o-mini", messages=ASK),
    )
    assert error.code == "model_not_permitted", error.body
    error = raised(
        openai.BadRequestError,
        lambda: client().responses.create(model="gpt-4o", input="and then?", previous_response_id="resp_1"),
    )
    assert error.code == "home_unknown", error.body


def test_exclusive_at_capacity():
    def narrow(key, **options):
        create = client(key).chat.completions.with_raw_response.create
        return create(model="narrow", messages=ASK, max_tokens=300, **options)

    first = narrow(BANK, stream=True)
    assert first.headers["x-firstright-provider"] == "azure"
    # While that answer is under way, Azure has no room: the bank waits, although there is room elsewhere.
    error = raised(openai.RateLimitError, lambda: narrow(BANK))
    assert error.code == "capacity_exhausted", error.body
    assert error.response.headers["x-should-retry"] == "true", error.response.headers
    assert int(error.response.headers["retry-after-ms"]) > 0, error.response.headers
    # Another tenant is served elsewhere, because the holder was asked first and had no room.
    other = narrow(APP)
    assert other.headers["x-firstright-provider"] == "oracle"
    assert "FR-4" in other.headers["x-firstright-ground"], other.headers
    text = [chunk.choices[0].delta.content or "" for chunk in first.parse() if chunk.choices]
    assert len("".join(text).split()) == 40, text


def test_waiting():
    # One request in two seconds, and three at once: the last wait so long that their streams begin with comments, before it
    # is decided who serves them. A client must not be able to tell.
    def ask(_):
        create = client(PATIENT).chat.completions.with_raw_response.create
        answer = create(model="sliced", messages=ASK, max_tokens=1, stream=True)
        chunks = list(answer.parse())
        text = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
        return "x-firstright-decision" in answer.headers, len(text.split()), chunks[-1].choices[0].finish_reason

    with ThreadPoolExecutor(3) as pool:
        answers = list(pool.map(ask, range(3)))
    assert all(words == 1 and finish for _, words, finish in answers), answers
    assert not all(decided for decided, _, _ in answers), answers


def test_retries():
    # Refused for want of room: the client waits as long as it is told, tries again, and is served.
    http, sent = counted()
    patient = client(http_client=http, max_retries=3)
    calls = 0
    # Two in one slice, which a busy machine may not manage at once.
    while calls == len(sent) and calls < 10:
        calls += 1
        assert patient.chat.completions.create(model="sliced", messages=ASK, max_tokens=1).choices
    assert 1 <= len(sent) - calls <= 2, f"{len(sent)} requests for {calls} calls"
    # Everybody failed: a 502 that the client would try again by itself, if it were not told otherwise.
    http, sent = counted()
    error = raised(
        openai.InternalServerError,
        lambda: client(http_client=http, max_retries=3).chat.completions.create(model="down", messages=ASK),
    )
    assert (error.status_code, error.code) == (502, "providers_failed"), error.body
    assert len(sent) == 1, f"{len(sent)} requests"


print(f"openai {openai.__version__}", flush=True)
for name, test in list(globals().items()):
    if name.startswith("test_"):
        begun = time.monotonic()
        print(name, flush=True)
        test()
        print(f"  {time.monotonic() - begun:.1f} s", flush=True)
print("all passed")
