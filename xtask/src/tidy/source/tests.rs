use super::*;

#[test]
fn comments_and_literals_are_blanked_and_lines_stay() {
    let text = "let a = \"fn { \\\" {\"; // {\nlet b = r#\"\"{\"#; /* { /* { */ { */ let c = '{';\nlet d: &'a str = b\"{\";\n";
    let code = code_of(text);
    assert_eq!(code.len(), text.len());
    assert_eq!(code.matches('\n').count(), 3);
    assert!(!code.contains('{') && !code.contains("fn"), "{code}");
    assert!(code.contains("let c =") && code.contains("&'a str ="), "{code}");
}

#[test]
fn quotes_within_characters_do_not_open_strings() {
    let code = code_of("match c { '\"' => b'\"', '\\'' => b'\\'', 'é' => 'x', _ => rest }\nfn f() {}\n");
    assert!(code.contains("rest }") && code.contains("fn f() {}"), "{code}");
}

#[test]
fn a_function_goes_from_its_name_to_its_brace() {
    let code = "trait T {\n    fn a(&self) -> [u8; 2];\n}\nfn b<F: Fn(u8)>(f: F)\nwhere\n    F: Copy,\n{\n    if x { y }\n}\n";
    assert_eq!(functions(code), [Function { name: "b", line: 4, lines: 6 }]);
}
