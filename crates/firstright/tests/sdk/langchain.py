"""Do LangChain and OpenAI's agents, unmodified, work against Firstright? `it/sdk.rs` starts the world that it is run in."""

import asyncio
import os
import time

# Both would report to their makers otherwise.
os.environ["LANGSMITH_TRACING"] = "false"
os.environ["OPENAI_AGENTS_DISABLE_TRACING"] = "1"

import openai
from agents import Agent, ModelSettings, OpenAIChatCompletionsModel, RunConfig, Runner, function_tool
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import AzureChatOpenAI, ChatOpenAI, OpenAIEmbeddings

URL = os.environ["FIRSTRIGHT_URL"]
APP = os.environ["FIRSTRIGHT_APP_KEY"]
BANK = os.environ["FIRSTRIGHT_BANK_KEY"]
ASK = "Who has the first right?"
CHAT_MODELS = ["gpt-4o", "gpt-4o-mini"]


def model(name="gpt-4o", key=APP, **options):
    options.setdefault("max_retries", 0)
    return ChatOpenAI(model=name, base_url=f"{URL}/v1", api_key=key, timeout=30, **options)


def raised(kind, call):
    try:
        call()
    except kind as error:
        return error
    raise AssertionError(f"{kind.__name__} was not raised")


@tool
def weather(city: str, days: int) -> str:
    """The weather of a city."""
    return f"{days} days of sun in {city}"


def test_chat():
    for name in CHAT_MODELS:
        answer = model(name).invoke(ASK)
        assert len(answer.content.split()) == 24, answer
        assert answer.usage_metadata["output_tokens"] == 24, answer.usage_metadata


def test_stream():
    for name in CHAT_MODELS:
        chunks = list(model(name, stream_usage=True).stream(ASK))
        whole = chunks[0]
        for chunk in chunks[1:]:
            whole += chunk
        assert len(chunks) > 3 and len(whole.content.split()) == 24, whole
        assert whole.usage_metadata["output_tokens"] == 24, whole.usage_metadata


def test_asynchronous():
    async def run():
        answers = await asyncio.gather(*(model(name).ainvoke(ASK) for name in CHAT_MODELS))
        assert all(answer.usage_metadata["output_tokens"] == 24 for answer in answers), answers
        pieces = [piece async for piece in model().astream(ASK)]
        assert len(pieces) > 3, pieces

    asyncio.run(run())


def test_responses():
    answer = model(use_responses_api=True).invoke(ASK)
    assert len(answer.text.split()) == 24, answer
    assert answer.usage_metadata["output_tokens"] == 24


def test_tools():
    for name in CHAT_MODELS:
        asking = model(name).bind_tools([weather], tool_choice="weather")
        for answer in (asking.invoke(ASK), sum_of(asking.stream(ASK))):
            (call,) = answer.tool_calls
            assert (call["name"], call["args"]) == ("weather", {"city": "home", "days": 2}), answer
        told = ToolMessage(weather.invoke(call).content, tool_call_id=call["id"])
        last = model(name).bind_tools([weather]).invoke([HumanMessage(ASK), answer, told])
        assert len(last.content.split()) == 24 and not last.tool_calls, last


def sum_of(chunks):
    whole = None
    for chunk in chunks:
        whole = chunk if whole is None else whole + chunk
    return whole


def test_embeddings():
    # The context is measured with a table that would have to be downloaded.
    embeddings = OpenAIEmbeddings(
        model="text-embedding-3-large",
        dimensions=64,
        base_url=f"{URL}/v1",
        api_key=APP,
        check_embedding_ctx_length=False,
    )
    assert [len(vector) for vector in embeddings.embed_documents(["one", "two"])] == [64, 64]
    assert len(embeddings.embed_query("one")) == 64


def test_azure():
    azure = AzureChatOpenAI(
        azure_deployment="gpt-4o-mini",
        azure_endpoint=URL,
        api_version="2024-10-21",
        api_key=APP,
        max_retries=0,
    )
    assert azure.invoke(ASK).usage_metadata["output_tokens"] == 24
    assert len(list(azure.stream(ASK))) > 3


def test_errors():
    error = raised(openai.AuthenticationError, lambda: model(key="wrong").invoke(ASK))
    assert error.code == "invalid_api_key", error.body
    error = raised(openai.NotFoundError, lambda: model("gpt-9").invoke(ASK))
    assert error.code == "model_not_found", error.body
    error = raised(openai.PermissionDeniedError, lambda: model("gpt-4o-mini", BANK).invoke(ASK))
    assert error.code == "model_not_permitted", error.body


def test_retries():
    # Everybody failed: told not to try again, the client gives up at once.
    begun = time.monotonic()
    error = raised(openai.InternalServerError, lambda: model("down", max_retries=6).invoke(ASK))
    assert error.code == "providers_failed" and time.monotonic() - begun < 5, error.body
    # Refused for want of room: it waits as long as it is told, and is served.
    for _ in range(3):
        assert model("sliced", max_retries=6, max_tokens=1).invoke(ASK).content


def test_agents():
    @function_tool
    def clock(city: str) -> str:
        """The time in a city."""
        calls.append(city)
        return "noon"

    calls = []
    client = openai.AsyncOpenAI(base_url=f"{URL}/v1", api_key=APP, max_retries=0)
    agent = Agent(
        name="timekeeper",
        tools=[clock],
        model=OpenAIChatCompletionsModel(model="gpt-4o", openai_client=client),
        model_settings=ModelSettings(tool_choice="required", include_usage=True),
    )

    async def run():
        config = RunConfig(tracing_disabled=True)
        result = await Runner.run(agent, ASK, run_config=config)
        assert calls == ["home"] and len(result.final_output.split()) == 24, (calls, result.final_output)
        streamed = Runner.run_streamed(agent, ASK, run_config=config)
        kinds = {event.type async for event in streamed.stream_events()}
        assert calls == ["home", "home"] and "raw_response_event" in kinds, (calls, kinds)
        assert len(streamed.final_output.split()) == 24
        await client.close()

    asyncio.run(run())


for name, test in list(globals().items()):
    if name.startswith("test_"):
        begun = time.monotonic()
        print(name, flush=True)
        test()
        print(f"  {time.monotonic() - begun:.1f} s", flush=True)
print("all passed")
