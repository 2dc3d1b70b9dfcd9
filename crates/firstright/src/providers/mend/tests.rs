use super::*;

#[test]
fn names_that_begin_alike_come_first() {
    let models: Vec<String> =
        ["text-embedding-3", "gpt-4o-mini", "gpt-4o", "o3"].iter().map(|name| name.to_string()).collect();
    assert_eq!(close_to("gpt-4", &models)[..2], ["`gpt-4o`", "`gpt-4o-mini`"]);
    assert_eq!(close_to("x", &[]), [""; 0]);
}
