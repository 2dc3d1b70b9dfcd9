//! Which of the caller's tools does the model call? One, if the request says that it has to call one, and with arguments
//! that the tool's own schema takes; otherwise it writes text.

use serde::Deserialize;
use serde_json::{Map, Value, json};

/// The schemas' depth that is followed; arguments of real tools are flatter.
const MAX_DEPTH: u32 = 8;

/// A call that stands in the answer instead of text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Called {
    /// As a JSON string, with its quotes.
    pub(super) name: String,
    /// An object's text as a JSON string, with its quotes.
    pub(super) arguments: String,
}

#[derive(Deserialize)]
struct Tool {
    function: Function,
}

#[derive(Deserialize)]
struct Function {
    name: String,
    #[serde(default)]
    parameters: Value,
}

/// The call that `tool_choice` asks for: the tool that it names, or the first of all if any will do.
///
/// # Errors
/// With what the client is told, if the tools cannot be read or the named one is not among them.
pub(super) fn called(tools: Option<&Value>, choice: Option<&Value>) -> Result<Option<Called>, String> {
    let wanted = match choice {
        Some(Value::String(choice)) if choice == "required" => None,
        Some(Value::Object(choice)) => choice.get("function").and_then(|function| function.get("name")),
        _ => return Ok(None),
    };
    let tools = tools.cloned().unwrap_or_default();
    let tools: Vec<Tool> =
        serde_json::from_value(tools).map_err(|error| format!("Invalid 'tools': {error}"))?;
    let mut functions = tools.into_iter().map(|tool| tool.function);
    let found =
        functions.find(|function| wanted.is_none_or(|wanted| wanted.as_str() == Some(&function.name)));
    let found = found.ok_or("Invalid 'tool_choice': no such tool.")?;
    let arguments = argument(&found.parameters, 0);
    let arguments = if arguments.is_object() { arguments } else { json!({}) };
    let quoted = |text: String| Value::from(text).to_string();
    Ok(Some(Called { name: quoted(found.name), arguments: quoted(arguments.to_string()) }))
}

/// A value that the schema takes, as far as its types and its lists of choices tell.
fn argument(schema: &Value, depth: u32) -> Value {
    if let Some(choice) = schema.get("enum").and_then(|choices| choices.get(0)) {
        return choice.clone();
    }
    match schema.get("type").and_then(Value::as_str) {
        Some("string") => Value::from("home"),
        Some("integer" | "number") => Value::from(2),
        Some("boolean") => Value::from(true),
        Some("array") => Value::Array(Vec::new()),
        Some("object") if depth < MAX_DEPTH => {
            let properties = schema.get("properties").and_then(Value::as_object);
            let filled = properties.into_iter().flatten();
            let filled = filled.map(|(name, schema)| (name.clone(), argument(schema, depth + 1)));
            Value::Object(filled.collect::<Map<_, _>>())
        }
        _ => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tools() -> Value {
        let parameters = json!({"type": "object", "properties": {
            "city": {"type": "string"}, "days": {"type": "integer"}, "unit": {"enum": ["celsius", "kelvin"]},
        }});
        json!([{"type": "function", "function": {"name": "clock"}},
               {"type": "function", "function": {"name": "weather", "parameters": parameters}}])
    }

    #[test]
    fn a_tool_is_called_only_if_one_has_to_be() {
        for choice in [json!("auto"), json!("none"), Value::Null] {
            assert_eq!(called(Some(&tools()), Some(&choice)), Ok(None));
        }
        assert_eq!(called(Some(&tools()), None), Ok(None));
        let first = called(Some(&tools()), Some(&json!("required"))).unwrap().unwrap();
        assert_eq!((&*first.name, &*first.arguments), (r#""clock""#, r#""{}""#));
    }

    #[test]
    fn the_arguments_are_what_the_schema_takes() {
        let choice = json!({"type": "function", "function": {"name": "weather"}});
        let call = called(Some(&tools()), Some(&choice)).unwrap().unwrap();
        let text: String = serde_json::from_str(&call.arguments).unwrap();
        let arguments: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(arguments, json!({"city": "home", "days": 2, "unit": "celsius"}));
    }

    #[test]
    fn a_tool_that_is_not_there_is_refused() {
        let choice = json!({"type": "function", "function": {"name": "train"}});
        assert!(called(Some(&tools()), Some(&choice)).unwrap_err().contains("tool_choice"));
        assert!(called(Some(&json!("no list")), Some(&choice)).unwrap_err().contains("tools"));
    }
}
