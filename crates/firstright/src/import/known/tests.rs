use super::{KNOWN, Reach, owner};
use crate::import::host;

#[test]
fn a_provider_owns_the_host_that_its_prefix_stands_for() {
    for known in &KNOWN {
        if let Reach::OpenAi(url) = known.reach {
            assert_eq!(owner(host(url)), Some(known.party), "{}", known.prefix);
        }
    }
}

#[test]
fn a_host_is_its_domains_and_no_lookalikes() {
    for (host, expected) in [
        ("contoso.openai.azure.com:443", Some("microsoft")),
        ("EU.api.openai.com", Some("openai")),
        ("api.groq.com", Some("groq")),
        ("bedrock-mantle.us-east-1.api.aws", Some("amazon")),
        ("inference.generativeai.us-chicago-1.oci.oraclecloud.com", Some("oracle")),
        // A customer's own, at a cloud.
        ("llm.eastus.cloudapp.azure.com", None),
        ("vllm-1234.elb.us-east-1.amazonaws.com", None),
        ("ec2-1-2-3-4.eu-west-1.compute.amazonaws.com", None),
        ("abc.execute-api.us-east-1.amazonaws.com", None),
        ("notgroq.com", None),
        ("api.groq.com.example", None),
        ("10.0.0.7:8000", None),
        ("", None),
    ] {
        assert_eq!(owner(host), expected, "{host}");
    }
}
