//! How is an OpenAI chat request said to Converse?
//!
//! What Converse has no word for is refused by its `param`, so that another provider may be asked. Left out, because the
//! answer means the same without: what [`chat::HARMLESS`] names, `user` and `metadata` (labels that OpenAI keeps), a
//! picture's `detail`, and the names of messages. System messages go to the front, where Converse keeps them.

mod content;
mod reasoning;

use std::borrow::Cow;

use serde::Serialize;
use serde_json::value::RawValue;

use crate::openai::ServiceTier;
use crate::openai::chat::{self, Format, Request, Tool, ToolChoice, unsayable};
use crate::openai::request::BadRequest;
use content::{Block, CachePoint, Conversation, Turn};
use reasoning::ModelFields;

/// Stands where a conversation has called tools and may call none now: Converse wants tools to be defined wherever they
/// were used, and its choice has no `none`.
const NO_TOOL: &str = "no_tool_available";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Converse<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    system: Vec<Block<'a>>,
    messages: Vec<Turn<'a>>,
    inference_config: Inference<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_config: Option<ToolConfig<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_config: Option<OutputConfig<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    additional_model_request_fields: Option<ModelFields>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_tier: Option<Type>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Inference<'a> {
    max_tokens: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f64>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    stop_sequences: &'a [Cow<'a, str>],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ToolConfig<'a> {
    tools: Vec<ToolEntry<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<Choice<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum ToolEntry<'a> {
    ToolSpec {
        name: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        description: Option<&'a str>,
        #[serde(rename = "inputSchema")]
        input_schema: InputSchema<'a>,
        /// Only models that know strict tools take it, so it is said only if asked for.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        strict: bool,
    },
    CachePoint(CachePoint),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum InputSchema<'a> {
    Json(&'a RawValue),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum Choice<'a> {
    Any {},
    Tool { name: &'a str },
}

#[derive(Serialize)]
struct Type {
    r#type: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OutputConfig<'a> {
    text_format: TextFormat<'a>,
}

#[derive(Serialize)]
struct TextFormat<'a> {
    r#type: &'static str,
    structure: Structure<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum Structure<'a> {
    JsonSchema {
        /// The schema's JSON as a string.
        schema: &'a str,
        name: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        description: Option<&'a str>,
    },
}

/// Says `body`, an OpenAI chat request, as Converse's; the same for a stream. `name` is the model's id or ARN: by its
/// family it is known how a wish for reasoning is said. `default_max_output` bounds the answer, in tokens, where the
/// request doesn't.
///
/// # Errors
/// [`BadRequest`] if the body is no chat request, or asks for what Converse can't do.
pub fn request(body: &[u8], name: &str, default_max_output: u64) -> Result<Vec<u8>, BadRequest> {
    let request = chat::read(body)?;
    request.refuse_unknown(&[])?;
    refuse_unsayable(&request)?;
    let max_tokens = request.max_tokens.unwrap_or(default_max_output);
    let fields = reasoning::fields(name, &request, max_tokens)?;
    let claude = name.contains("anthropic.");
    let Conversation { system, turns, used_tools } = content::conversation(&request.messages)?;
    let converse = Converse {
        system,
        messages: turns,
        inference_config: Inference {
            max_tokens,
            // 1 is how Claude does without, and newer models refuse to be told; elsewhere it is a value like another.
            temperature: request.temperature.filter(|temperature| *temperature != 1.0 || !claude),
            top_p: request.top_p.filter(|top_p| *top_p != 1.0 || !claude),
            stop_sequences: &request.stop,
        },
        tool_config: tool_config(&request, used_tools)?,
        output_config: output_config(&request.format)?,
        additional_model_request_fields: fields,
        service_tier: service_tier(request.service_tier)?,
    };
    serde_json::to_vec(&converse).map_err(|error| BadRequest {
        code: "invalid_value",
        param: None,
        message: format!("write the request for the provider: {error}"),
    })
}

fn refuse_unsayable(request: &Request<'_>) -> Result<(), BadRequest> {
    let some = |penalty: Option<f64>| penalty.is_some_and(|penalty| penalty != 0.0);
    if request.choices != 1 {
        return Err(unsayable("n", "Converse gives one answer"));
    }
    if some(request.frequency_penalty) {
        return Err(unsayable("frequency_penalty", "Converse has none"));
    }
    if some(request.presence_penalty) {
        return Err(unsayable("presence_penalty", "Converse has none"));
    }
    if request.temperature.is_some_and(|temperature| temperature > 1.0) {
        return Err(unsayable("temperature", "Converse's scale ends at 1"));
    }
    if request.parallel_tool_calls == Some(false) && !request.tools.is_empty() {
        return Err(unsayable("parallel_tool_calls", "Converse can't forbid them"));
    }
    Ok(())
}

fn tool_config<'a>(request: &'a Request<'_>, used_tools: bool) -> Result<Option<ToolConfig<'a>>, BadRequest> {
    if request.tools.is_empty() || request.tool_choice == Some(ToolChoice::None) {
        let none = ToolEntry::ToolSpec {
            name: NO_TOOL,
            description: Some("No tool can be called now: answer in words."),
            input_schema: open_schema(),
            strict: false,
        };
        return Ok(used_tools.then(|| ToolConfig { tools: vec![none], tool_choice: None }));
    }
    let mut tools = Vec::with_capacity(request.tools.len());
    for tool in &request.tools {
        tools.push(entry(tool));
        if let Some(mark) = tool.cache_control {
            tools.push(ToolEntry::CachePoint(CachePoint::of(mark)?));
        }
    }
    let tool_choice = match &request.tool_choice {
        None | Some(ToolChoice::Auto | ToolChoice::None) => None,
        Some(ToolChoice::Required) => Some(Choice::Any {}),
        Some(ToolChoice::Function(name)) => Some(Choice::Tool { name }),
    };
    Ok(Some(ToolConfig { tools, tool_choice }))
}

fn entry<'a>(tool: &'a Tool<'_>) -> ToolEntry<'a> {
    ToolEntry::ToolSpec {
        name: &tool.name,
        description: tool.description.as_deref().filter(|text| !text.is_empty()),
        input_schema: tool.parameters.map_or(open_schema(), InputSchema::Json),
        strict: tool.strict,
    }
}

/// Any object: a function without parameters.
fn open_schema() -> InputSchema<'static> {
    static OPEN: std::sync::LazyLock<Box<RawValue>> = std::sync::LazyLock::new(|| {
        RawValue::from_string(r#"{"type":"object","properties":{}}"#.to_owned()).expect("the literal is JSON")
    });
    InputSchema::Json(&OPEN)
}

fn output_config<'a>(format: &'a Format<'_>) -> Result<Option<OutputConfig<'a>>, BadRequest> {
    let schema = match format {
        Format::Text => return Ok(None),
        Format::JsonObject => return Err(unsayable("response_format", "Converse wants a schema")),
        Format::JsonSchema(schema) => schema,
    };
    let Some(raw) = schema.schema else {
        return Err(unsayable("response_format", "Converse wants a schema"));
    };
    let structure = Structure::JsonSchema {
        schema: raw.get(),
        name: &schema.name,
        description: schema.description.as_deref(),
    };
    Ok(Some(OutputConfig { text_format: TextFormat { r#type: "json_schema", structure } }))
}

/// Converse has no `auto`: that is to say nothing.
fn service_tier(tier: Option<ServiceTier>) -> Result<Option<Type>, BadRequest> {
    let name = match tier {
        None | Some(ServiceTier::Auto) => return Ok(None),
        Some(ServiceTier::Default) => "default",
        Some(ServiceTier::Flex) => "flex",
        Some(ServiceTier::Priority) => "priority",
        Some(ServiceTier::Scale | ServiceTier::Fast | ServiceTier::Batch | ServiceTier::Unknown) => {
            return Err(unsayable("service_tier", "Bedrock has `default`, `flex` and `priority`"));
        }
    };
    Ok(Some(Type { r#type: name }))
}

#[cfg(test)]
mod tests;
