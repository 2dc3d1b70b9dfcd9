//! Whose words are in a file: the caller's own, or the provider's, whose ids are to be signed?
//!
//! What a caller put there may name anything, and signing it would make another tenant's ids the caller's own. Only what the
//! provider made of a batch, whose lines were read when they came, is signed as it is read: so the provider is asked what
//! the file is for. Where it does not say, nothing is signed.

use firstright_wire::openai::response;
use firstright_wire::operation::Route;

use crate::endpoint::Endpoint;
use crate::setup::Setup;
use crate::upstream::Client;

/// The longest description of a file that is read, in bytes.
const MAX_DESCRIPTION: usize = 64 << 10;
/// What a provider calls the answers to a batch's lines. Callers may give no such purpose.
/// Source: OpenAI's specification, `OpenAIFile.purpose`.
const OUTPUT: &str = "batch_output";

/// Are the bytes of a file asked for?
pub(crate) fn is_content(route: &Route<'_>) -> bool {
    // That of a file in a vector store is told in JSON of the provider's own.
    route.pattern.ends_with("/content") && !route.pattern.starts_with("vector_stores")
}

/// Did the provider make the file whose content is asked for out of a batch? `suffix` is the path with the provider's ids.
pub(crate) async fn is_of_batch(
    route: &Route<'_>,
    suffix: &str,
    endpoint: &Endpoint,
    client: &Client,
    setup: &Setup,
) -> bool {
    if route.pattern != "files/{}/content" {
        return false;
    }
    let Some(suffix) = suffix.strip_suffix("/content") else { return false };
    let purpose = async {
        let mut answer = endpoint.get(client, suffix, &setup.budgets).await?;
        let body =
            answer.body.read_whole(MAX_DESCRIPTION).await.ok().filter(|_| answer.status.is_success())?;
        response::string_of(&body, "purpose")
    };
    purpose.await.is_some_and(|purpose| purpose == OUTPUT)
}
