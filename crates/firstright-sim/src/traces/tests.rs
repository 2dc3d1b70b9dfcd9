use super::{calls, jobs, surge_calls, surge_jobs, surge_minute};

/// `UPDATE_EXPECT=1` writes the files anew.
#[test]
fn the_committed_traces_are_the_recipes() {
    for (name, recipe) in [
        ("surge-calls.csv", surge_calls()),
        ("surge-jobs.csv", surge_jobs()),
        ("surge-minute.csv", surge_minute()),
    ] {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("traces").join(name);
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            std::fs::write(&path, &recipe).unwrap();
        }
        assert_eq!(std::fs::read_to_string(&path).unwrap(), recipe, "{name}");
    }
}

#[test]
fn rows_are_read_by_the_names_of_their_columns() {
    let read = calls("a.csv", &b"t_ms,model,prompt_tokens,output_tokens\n0,m,3,4\n9,m,5,6\n"[..]).unwrap();
    assert_eq!((read.len(), read[1].t_ms, read[1].output_tokens, &read[1].tenant), (2, 9, 6, &None));
    let read = calls("a.csv", surge_calls().as_bytes()).unwrap();
    assert_eq!((read.len(), read[0].tenant.is_some()), (362, true));
    assert_eq!(jobs("b.csv", surge_jobs().as_bytes()).unwrap().len(), 178);
}

#[test]
fn what_is_wrong_is_named_with_file_and_line() {
    let check = |text: &str, wanted: &str| {
        assert_eq!(jobs("b.csv", text.as_bytes()).unwrap_err().to_string(), wanted);
    };
    check("", "failed to read `b.csv`, line 1: the file is empty");
    check(
        "submit_s,gpus,duration_s\n",
        "failed to read `b.csv`, line 1: the header `submit_s,gpus,duration_s` has no column `vc`",
    );
    let head = "submit_s,vc,gpus,duration_s\n";
    check(
        &format!("{head}5,a,x,7\n"),
        "failed to read `b.csv`, line 2: `x` in the column `gpus` is not a whole number",
    );
    check(&format!("{head}5,a,0,7\n"), "failed to read `b.csv`, line 2: `0` is no count of GPUs");
    check(&format!("{head}5,a,1\n"), "failed to read `b.csv`, line 2: there are 3 cells under 4 columns");
    check(&format!("{head}5,a,1,7\n4,a,1,7\n"), "failed to read `b.csv`, line 3: time falls from `5` to `4`");
}
