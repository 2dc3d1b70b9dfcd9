use super::*;

#[test]
fn a_name_cannot_shift_the_fields() {
    let line = "42 (a) b (c) R 1 77 77 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 123456 999 1\n";
    assert_eq!(parse(line), Some(Stat { group: 77, start: Uptime(123_456), dead: false }));
    assert_eq!(parse(&line.replace(") R", ") Z")).map(|stat| stat.dead), Some(true));
    assert_eq!(parse("42"), None);
    assert_eq!(parse("42 (a"), None);
}

#[test]
fn this_very_process_is_seen() {
    let own = stat(std::process::id()).unwrap();
    assert!(!own.dead && own.start <= uptime() && own.start > Uptime(0));
    assert!(members(own.group).contains(&std::process::id()));
    assert!(stat(u32::MAX).is_none());
}

#[test]
fn uptimes_are_read_exactly() {
    assert_eq!(hundredths("12.34"), Some(Uptime(1_234)));
    assert_eq!(hundredths("0.05"), Some(Uptime(5)));
    assert_eq!(hundredths("12"), None);
    assert_eq!(hundredths("12.é"), None);
}
