use super::*;

#[test]
fn times_are_written_and_read_back() {
    // The example of RFC 9110, the epoch, a leap day, the last second of a century, and AWS's vectors.
    let table = [
        (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT", "19941106T084937Z"),
        (0, "Thu, 01 Jan 1970 00:00:00 GMT", "19700101T000000Z"),
        (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT", "20000229T000000Z"),
        (4_102_444_799, "Thu, 31 Dec 2099 23:59:59 GMT", "20991231T235959Z"),
        (1_440_938_160, "Sun, 30 Aug 2015 12:36:00 GMT", "20150830T123600Z"),
    ];
    for (unix_s, in_http, in_aws) in table {
        assert_eq!(http(unix_s), in_http);
        assert_eq!(amz(unix_s), in_aws);
        assert_eq!(parse_http(in_http.as_bytes()), Some(unix_s));
    }
}

#[test]
fn every_day_of_two_centuries_comes_back() {
    for day in 0..73_000 {
        let (year, month, of_month) = civil(day);
        assert_eq!(days(year, month, of_month), day);
    }
}

#[test]
fn what_is_no_date_is_none() {
    for text in [
        "",
        "now",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 8:49:37 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT",
        "Sun, 00 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1969 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 09 GMT",
        "Sun, +6 Nov 1994 08:49:37 GMT",
    ] {
        assert_eq!(parse_http(text.as_bytes()), None, "{text}");
    }
    assert_eq!(parse_http(b"Sun, 06 Nov \xff994 08:49:37 GMT"), None);
}

#[test]
fn times_in_iso_8601_are_seconds() {
    for (time, expected) in [
        ("1970-01-01T00:00:00Z", Some(0)),
        ("2025-02-01T10:20:30.123Z", Some(1_738_405_230)),
        ("2024-02-29T23:59:59Z", Some(1_709_251_199)),
        ("2024-13-01T00:00:00Z", None),
        ("1969-12-31T00:00:00Z", None),
        ("soon", None),
        ("2024-02-2é", None),
    ] {
        assert_eq!(parse_iso(time), expected, "{time}");
    }
}
