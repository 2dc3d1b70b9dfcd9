use super::*;

/// Places in an order, and the rights that they become: `party rank`.
#[track_caller]
fn check(order: &[(u64, &str)], rights: &[&str], whole: bool) {
    let mut plan = Plan::default();
    let order: Vec<(u64, String)> = order.iter().map(|(place, party)| (*place, party.to_string())).collect();
    assert_eq!(plan.prefer("m", &order), whole);
    let told: Vec<String> =
        plan.preferences.iter().map(|one| format!("{} {}", one.party, one.rank)).collect();
    assert_eq!(told, rights);
}

#[test]
fn an_order_becomes_ranks_of_parties_and_the_last_needs_no_right() {
    check(&[(1, "a"), (2, "b"), (3, "c")], &["a 1", "b 2"], true);
    check(&[(5, "b"), (0, "a")], &["a 1"], true);
    check(&[(1, "a"), (1, "b")], &[], false);
    check(&[(1, "a"), (2, "a"), (3, "b")], &["a 1"], false);
    check(&[(1, OPERATOR), (2, "a"), (3, "b")], &["a 2"], true);
    check(&[], &[], true);
}

#[test]
fn names_become_ids_that_the_law_allows() {
    let ids = ["gpt-4o", "my model!", "a@b", "--", "", "über"];
    assert_eq!(ids.map(id_of), ["gpt-4o", "my-model", "a-b", "unnamed", "unnamed", "ber"]);
    assert_eq!(variable_of("azure-contoso.west"), "AZURE_CONTOSO_WEST_API_KEY");
}
