use super::*;

#[test]
fn columns_are_aligned_and_lines_not_padded() {
    let rows = [vec!["1".to_string(), "é".to_string()], vec!["10".to_string(), "long".to_string()]];
    assert_eq!(table(&["A", "B"], &rows), "A   B\n1   é\n10  long\n");
}

#[test]
fn hours_never_show_more_than_was_used() {
    assert_eq!([0, 35, 36, 3_600, 5_399].map(hours), ["0.00", "0.00", "0.01", "1.00", "1.49"]);
}
