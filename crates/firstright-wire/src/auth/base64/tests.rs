use super::*;

/// RFC 4648 section 10.
#[test]
fn the_vectors_of_the_rfc() {
    let vectors = [
        ("", ""),
        ("f", "Zg=="),
        ("fo", "Zm8="),
        ("foo", "Zm9v"),
        ("foob", "Zm9vYg=="),
        ("foobar", "Zm9vYmFy"),
    ];
    for (bytes, text) in vectors {
        assert_eq!(standard(bytes.as_bytes()), text);
        assert_eq!(for_urls(bytes.as_bytes()), text.trim_end_matches('='));
    }
    assert_eq!((standard(&[0xfb, 0xff]).as_str(), for_urls(&[0xfb, 0xff]).as_str()), ("+/8=", "-_8"));
}

#[test]
fn what_is_written_for_urls_is_read_again() {
    let bytes: Vec<u8> = (0..=255).collect();
    for length in 0..=bytes.len() {
        assert_eq!(from_urls(&for_urls(&bytes[..length])).as_deref(), Some(&bytes[..length]));
    }
    assert_eq!(from_urls("Zg==").as_deref(), Some(&b"f"[..]));
    for wrong in ["Z", "Zm9vY", "Z g", "Zg+/"] {
        assert_eq!(from_urls(wrong), None, "{wrong}");
    }
}
