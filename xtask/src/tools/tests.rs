use super::*;

#[test]
fn the_pins_are_read_and_are_exact() {
    let pins = pins(VERSIONS).unwrap();
    let names: Vec<&str> = pins.iter().map(|pin| pin.name).collect();
    assert_eq!(names[..5], ["python-1", "python-2", "python-3", "node", "node-openai"]);
    for (place, major) in ["1.", "2.", "3."].iter().enumerate() {
        assert!(pins[place].packages.starts_with(&format!("openai=={major}")), "{:?}", pins[place]);
    }
}

#[test]
fn every_package_is_pinned_and_node_comes_before_what_needs_it() {
    let pins = pins(VERSIONS).unwrap();
    let node = pins.iter().position(|pin| pin.name == "node").unwrap();
    for (place, pin) in pins.iter().enumerate() {
        let registry = pin.registry();
        let mark = if registry == Registry::Npm { "@" } else { "==" };
        for package in pin.packages.split(' ') {
            let version = package.rsplit_once(mark).map(|(_, version)| version);
            assert!(
                version.is_some_and(|version| version.starts_with(|c: char| c.is_ascii_digit())),
                "{package}"
            );
        }
        assert!(registry != Registry::Npm || place > node, "{}", pin.name);
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
    let pin = Pin { name: "client", packages: "client==2" };
    fs::create_dir_all(tools.join("client")).unwrap();
    assert!(!pin.is_installed(&tools));
    fs::write(tools.join("client").join(STAMP), "client==1").unwrap();
    assert!(!pin.is_installed(&tools));
    fs::write(tools.join("client").join(STAMP), "client==2").unwrap();
    assert!(pin.is_installed(&tools));
    fs::remove_dir_all(&tools).unwrap();
}
