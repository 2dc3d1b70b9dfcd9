//! What do the answers say? Words of four letters and a space, one a token, cheap to cut at any length.

/// Bytes of one token's text.
const WORD: usize = 5;

const WORDS: &str = "then some more work came down from both ends till each part took what each left over \
     last week they gave back half once that year went past will hold when next load must move away \
     into free room near home ";

/// Appends tokens `from..from + count` of the text that begins at `start`.
pub(super) fn write(out: &mut String, start: u64, from: u64, count: u64) {
    let words = (WORDS.len() / WORD) as u64;
    let mut at = (start % words + from % words) % words;
    let mut left = count;
    out.reserve(usize::try_from(count).unwrap_or(0).saturating_mul(WORD));
    while left > 0 {
        let run = left.min(words - at);
        out.push_str(&WORDS[at as usize * WORD..(at + run) as usize * WORD]);
        left -= run;
        at = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::{WORD, WORDS, write};

    #[test]
    fn words_are_of_one_length() {
        assert_eq!(WORDS.len() % WORD, 0);
        for word in WORDS.as_bytes().chunks(WORD) {
            assert!(word[..4].iter().all(u8::is_ascii_lowercase) && word[4] == b' ', "{word:?}");
        }
    }

    #[test]
    fn pieces_join_to_the_whole() {
        let (mut whole, mut pieces) = (String::new(), String::new());
        write(&mut whole, 7, 0, 500);
        let mut from = 0;
        for count in [1, 2, 97, 0, 400] {
            write(&mut pieces, 7, from, count);
            from += count;
        }
        assert_eq!(whole, pieces);
        assert_eq!(whole.split_whitespace().count(), 500);
    }
}
