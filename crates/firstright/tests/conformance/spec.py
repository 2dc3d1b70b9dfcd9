"""OpenAI's specification as the mock reads it: the published document as JSON, with a few corrections.

usage: spec.py OPENAPI_YAML OPENAPI_JSON

OpenAI makes its clients from a corrected copy of what it publishes. Each correction here is one of those: the client's
types are the evidence, and without it the client refuses the mock's answer even when nothing stands between them.
"""

import json
import sys

import yaml


def correct(schemas):
    # Always sent (`types/upload.py` has it required).
    schemas["Upload"]["required"].append("object")
    # The description says that it is this one word (`types/containers/file_list_response.py`).
    schemas["ContainerFileResource"]["properties"]["object"]["enum"] = ["container.file"]
    # A list whose default is a word.
    del schemas["Eval"]["properties"]["testing_criteria"]["default"]
    # The client lets both be sent without files.
    for name in ("CreateSkillBody", "CreateSkillVersionBody"):
        schemas[name]["required"].remove("files")
    # The client reads what is left of a compacted conversation as output items.
    output = schemas["CompactResource"]["properties"]["output"]
    output["items"] = {"$ref": "#/components/schemas/OutputItem"}
    # Examples of these leave out what their own schemas require.
    for name in ("ChatkitWorkflow", "ChatSessionResource", "CompactResource", "ResponseUsage"):
        forget_examples(schemas[name])


def forget_examples(schema):
    if isinstance(schema, dict):
        schema.pop("example", None)
        schema.pop("examples", None)
        for value in schema.values():
            forget_examples(value)
    elif isinstance(schema, list):
        for value in schema:
            forget_examples(value)


def main():
    published, made = sys.argv[1:]
    with open(published, encoding="utf-8") as file:
        document = yaml.load(file, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    correct(document["components"]["schemas"])
    with open(made, "w", encoding="utf-8") as file:
        json.dump(document, file, default=str)


main()
