use super::*;

const HELP: &str = "The plane.\n\nUsage: firstright <COMMAND>\n\nCommands:\n  serve  Serve\n  help   Print\n\nOptions:\n  -h\n";

fn reasons(readme: &str) -> Vec<String> {
    problems(&Tree::of(&[("README.md", readme)]), HELP).iter().map(ToString::to_string).collect()
}

#[test]
fn commands_that_are_there_pass() {
    assert_eq!(
        reasons(
            "`firstright serve` serves; firstright is a word; `firstright.toml`\n```\n$ firstright serve --config a\n```\n"
        ),
        [""; 0]
    );
    assert_eq!(reasons("`firstright --help`, `firstright <command>`\n"), [""; 0]);
}

#[test]
fn commands_that_are_not_fail_with_their_line() {
    assert_eq!(reasons("# A\n```\nfirstright fly\n```\n"), ["README.md:3: the binary has no command `fly`"]);
    assert_eq!(reasons("run `firstright dance`\n"), ["README.md:1: the binary has no command `dance`"]);
}
