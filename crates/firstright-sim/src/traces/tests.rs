use super::*;

#[test]
fn calls_are_read_by_the_names_of_their_columns() {
    let text = "t_ms,tenant,model,output_tokens,prompt_tokens\n5,a,m,7,9\n";
    let arrival =
        Arrival { at_ms: 5, model: "m".into(), tenant: "a".into(), prompt_tokens: 9, output_tokens: 7 };
    assert_eq!(calls("x.csv", text.as_bytes()), Ok(vec![arrival]));
    let without = "t_ms,model,prompt_tokens,output_tokens\n0,m,1,2\n";
    assert_eq!(calls("x.csv", without.as_bytes()).unwrap()[0].tenant, "");
}

#[test]
fn mistakes_are_told_with_file_and_line() {
    let check = |text: &str, wanted: &str| {
        let problem = calls("x.csv", text.as_bytes()).unwrap_err();
        assert!(problem.contains(wanted), "{problem}");
    };
    check("", "no column `t_ms`");
    check("t_ms,prompt_tokens,output_tokens\n1,2\n", "`x.csv:2`: 2 fields where the header has 3");
    check("t_ms,prompt_tokens,output_tokens\n1,2,3\n1,two,3\n", "`x.csv:3`: `prompt_tokens` is `two`");
    let problem = jobs("p.csv", "submit_s,gpus,duration_s\n1,99999999999,2\n".as_bytes()).unwrap_err();
    assert!(problem.contains("`p.csv:2`: `gpus`"), "{problem}");
}

#[test]
fn the_surge_is_the_same_every_time_and_in_order() {
    let one = surge();
    assert_eq!(one, surge());
    assert!(one.is_sorted_by_key(|arrival| arrival.at_ms));
    assert_eq!(one.len(), 10 * 15 + 5 * 50 + 30 * 110 + 15 * 15);
    assert!(one.last().is_some_and(|last| last.at_ms < 60_000));
}
