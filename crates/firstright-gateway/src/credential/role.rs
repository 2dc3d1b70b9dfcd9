//! By what role does this machine, container or pod call AWS, and how are its keys got?
//!
//! What comes of it is an [`AwsKey`] that holds for some hours, with the region and the service that it signs for. It is
//! kept, shared and renewed as tokens are.

use std::path::PathBuf;
use std::sync::Arc;

use firstright_wire::auth::aws::{self, Keys};
use firstright_wire::auth::token::Refused;

use super::tokens::Tokens;
use super::{AuthError, AwsKey, Secret, TokenUrl};
use crate::upstream::Client;

/// A role, and what its keys sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AwsRole {
    /// Where its keys come from.
    pub source: AwsSource,
    /// For example `us-east-1`.
    pub region: String,
    /// As for [`AwsKey::new`].
    pub service: String,
}

/// Where a role's keys come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AwsSource {
    /// The metadata service of an EC2 machine, in its second version.
    Machine {
        /// The role's name; the one that the machine has if there is none.
        role: Option<String>,
    },
    /// The credentials endpoint of a container.
    Container {
        /// By what the platform knows the container.
        authorization: Authorization,
    },
    /// STS, for a token of whom AWS federates with.
    WebIdentity {
        /// The role's ARN.
        role: String,
        /// What the session is called in AWS's logs.
        session: String,
        /// The token's file, which is written anew before it ends.
        token: PathBuf,
    },
}

/// By what the credentials endpoint of a container knows who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Authorization {
    /// By the address that asks.
    None,
    /// By a text.
    Text(Secret),
    /// By what a file holds at the time, which is written anew before it ends.
    File(PathBuf),
}

impl AwsRole {
    /// Gets keys, and tells for how many seconds they hold.
    pub(super) async fn keys(
        &self,
        url: &TokenUrl,
        tokens: &Tokens,
        client: &Client,
    ) -> Result<(Arc<AwsKey>, u64), AuthError> {
        let keys = match &self.source {
            AwsSource::Machine { role } => self.of_machine(role.as_deref(), url, tokens, client).await?,
            AwsSource::Container { authorization } => {
                let known = match authorization {
                    Authorization::None => None,
                    Authorization::Text(secret) => Some(secret.text().to_owned()),
                    Authorization::File(file) => Some(read(file)?),
                };
                let ask = aws::container(&url.path, known.as_deref());
                let answer = tokens.send(&url.target, ask, None, client).await?;
                let read = aws::keys(answer.status, &answer.body, answer.now_s);
                read.map_err(|refused| tokens.refused(refused, &answer))?
            }
            AwsSource::WebIdentity { role, session, token } => {
                let ask = aws::web_identity(&url.path, role, session, &read(token)?);
                let answer = tokens.send(&url.target, ask, None, client).await?;
                let read = aws::assumed(answer.status, &answer.body, answer.now_s);
                read.map_err(|refused| tokens.refused(refused, &answer))?
            }
        };
        let Keys { access_key_id, secret_access_key, session_token, lifetime_s } = keys;
        let (secret, token) = (Secret::new(&secret_access_key), Secret::new(&session_token));
        let key = AwsKey::new(&access_key_id, secret, Some(token), &self.region, &self.service);
        Ok((Arc::new(key), lifetime_s))
    }

    /// A session first; its first version, which answers without one, is not asked.
    async fn of_machine(
        &self,
        role: Option<&str>,
        url: &TokenUrl,
        tokens: &Tokens,
        client: &Client,
    ) -> Result<Keys, AuthError> {
        let word = |answer: super::tokens::Answer| {
            let word: Result<String, Refused> = aws::word(answer.status, &answer.body);
            word.map_err(|refused| tokens.refused(refused, &answer))
        };
        let send = |ask| tokens.send(&url.target, ask, None, client);
        let session = word(send(aws::session()).await?)?;
        let role = match role {
            Some(role) => role.to_owned(),
            None => word(send(aws::role_name(&session)).await?)?,
        };
        let answer = send(aws::role_keys(&role, &session)).await?;
        aws::keys(answer.status, &answer.body, answer.now_s)
            .map_err(|refused| tokens.refused(refused, &answer))
    }
}

/// What a file holds that is written anew from time to time.
pub(super) fn read(file: &std::path::Path) -> Result<String, AuthError> {
    let shown = file.display();
    let text = std::fs::read_to_string(file)
        .map_err(|error| AuthError::Proof(format!("failed to read `{shown}`: {error}")))?;
    Ok(text.trim().to_owned())
}
