use super::*;

#[test]
fn the_pins_are_read_and_are_exact() {
    let pins = pins(VERSIONS).unwrap();
    let names: Vec<&str> = pins.iter().map(|pin| pin.name).collect();
    assert_eq!(names, ["python-1", "python-2", "python-3", "node", "node-openai"]);
    for (place, major) in ["1.", "2.", "3."].iter().enumerate() {
        assert!(pins[place].package.starts_with(&format!("openai=={major}")), "{:?}", pins[place]);
    }
}

#[test]
fn a_line_that_is_no_pin_is_named() {
    assert!(pins("# only a comment\n").unwrap().is_empty());
    assert!(pins("openai\n").unwrap_err().contains("`openai`"));
}

#[test]
fn only_a_stamp_of_the_same_pin_counts() {
    let tools = std::env::temp_dir().join(format!("firstright-tools-{}", std::process::id()));
    let pin = Pin { name: "client", package: "client==2" };
    fs::create_dir_all(tools.join("client")).unwrap();
    assert!(!pin.is_installed(&tools));
    fs::write(tools.join("client").join(STAMP), "client==1").unwrap();
    assert!(!pin.is_installed(&tools));
    fs::write(tools.join("client").join(STAMP), "client==2").unwrap();
    assert!(pin.is_installed(&tools));
    fs::remove_dir_all(&tools).unwrap();
}
