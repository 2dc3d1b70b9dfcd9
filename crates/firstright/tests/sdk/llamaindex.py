"""Does LlamaIndex, unmodified, work against Firstright? `it/sdk.rs` starts the world that it is run in."""

import asyncio
import os
import time

import openai
from llama_index.core.llms import ChatMessage
from llama_index.core.tools import FunctionTool
from llama_index.embeddings.openai_like import OpenAILikeEmbedding
from llama_index.llms.openai_like import OpenAILike

URL = os.environ["FIRSTRIGHT_URL"]
APP = os.environ["FIRSTRIGHT_APP_KEY"]
BANK = os.environ["FIRSTRIGHT_BANK_KEY"]
ASK = [ChatMessage(role="user", content="Who has the first right?")]
CHAT_MODELS = ["gpt-4o", "gpt-4o-mini"]


def model(name="gpt-4o", key=APP, **options):
    options.setdefault("max_retries", 0)
    return OpenAILike(
        model=name,
        api_base=f"{URL}/v1",
        api_key=key,
        is_chat_model=True,
        is_function_calling_model=True,
        context_window=8_000,
        timeout=30,
        **options,
    )


def raised(kind, call):
    try:
        call()
    except kind as error:
        return error
    raise AssertionError(f"{kind.__name__} was not raised")


def weather(city: str, days: int) -> str:
    """The weather of a city."""
    return f"{days} days of sun in {city}"


def test_chat():
    for name in CHAT_MODELS:
        answer = model(name).chat(ASK)
        assert len(answer.message.content.split()) == 24, answer
        assert answer.raw.usage.completion_tokens == 24, answer.raw


def test_stream():
    for name in CHAT_MODELS:
        pieces = list(model(name).stream_chat(ASK))
        assert len(pieces) > 3 and len(pieces[-1].message.content.split()) == 24, pieces[-1]


def test_asynchronous():
    async def run():
        answers = await asyncio.gather(*(model(name).achat(ASK) for name in CHAT_MODELS))
        assert all(len(answer.message.content.split()) == 24 for answer in answers), answers

    asyncio.run(run())


def test_tools():
    tools = [FunctionTool.from_defaults(weather)]
    for name in CHAT_MODELS:
        asking = model(name)
        answer = asking.chat_with_tools(tools, chat_history=list(ASK), tool_required=True)
        (call,) = asking.get_tool_calls_from_response(answer)
        assert (call.tool_name, call.tool_kwargs) == ("weather", {"city": "home", "days": 2}), answer
        last = list(asking.stream_chat_with_tools(tools, chat_history=list(ASK), tool_required=True))[-1]
        (call,) = asking.get_tool_calls_from_response(last)
        assert call.tool_kwargs == {"city": "home", "days": 2}, last


def test_embeddings():
    embedding = OpenAILikeEmbedding(
        model_name="text-embedding-3-large", api_base=f"{URL}/v1", api_key=APP, dimensions=64
    )
    assert len(embedding.get_query_embedding("one")) == 64
    vectors = embedding.get_text_embedding_batch(["one", "two", "three"])
    assert [len(vector) for vector in vectors] == [64, 64, 64]


def test_errors():
    error = raised(openai.AuthenticationError, lambda: model(key="wrong").chat(ASK))
    assert error.code == "invalid_api_key", error.body
    error = raised(openai.NotFoundError, lambda: model("gpt-9").chat(ASK))
    assert error.code == "model_not_found", error.body
    error = raised(openai.PermissionDeniedError, lambda: model("gpt-4o-mini", BANK).chat(ASK))
    assert error.code == "model_not_permitted", error.body


def test_retries():
    for _ in range(3):
        assert model("sliced", max_retries=6, max_tokens=1).chat(ASK).message.content


for name, test in list(globals().items()):
    if name.startswith("test_"):
        begun = time.monotonic()
        print(name, flush=True)
        test()
        print(f"  {time.monotonic() - begun:.1f} s", flush=True)
print("all passed")
