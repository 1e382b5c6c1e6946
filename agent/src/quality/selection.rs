//! Writes a set of frames as an expression of ffmpeg's filter `select`.

/// Sizes of words in bits. Sets that repeat after one of these numbers of frames give short expressions. A number of ffmpeg's
/// expressions has 53 exact bits.
const WORDS: [u64; 5] = [48, 50, 49, 44, 52];

/// The expression that is 1 for some of all frames, in ascending order; `None` where these are all frames.
pub(super) fn expression(frames: &[u64], all: usize) -> Option<String> {
    if frames.len() == all {
        return None;
    }
    let written = WORDS.map(|bits| written(frames, bits));
    written.into_iter().min_by_key(String::len)
}

fn written(frames: &[u64], bits: u64) -> String {
    let mut words = vec![0_u64; frames.last().map_or(0, |last| last / bits + 1) as usize];
    for frame in frames {
        if let Some(word) = words.get_mut((frame / bits) as usize) {
            *word |= 1 << (frame % bits);
        }
    }
    // Frames after the last word are not in the set.
    words.push(0);
    format!("mod(floor({}/pow(2,mod(n,{bits}))),2)", tree(&words, 0, bits))
}

/// A tree of comparisons, so that a frame costs as many steps as the logarithm of the number of words.
fn tree(words: &[u64], from: u64, bits: u64) -> String {
    match words {
        [] => "0".to_owned(),
        [first, rest @ ..] if rest.iter().all(|word| word == first) => first.to_string(),
        _ => {
            let half = words.len() / 2;
            let (left, right) = words.split_at(half);
            let middle = from + half as u64;
            format!("if(lt(n,{}),{},{})", middle * bits, tree(left, from, bits), tree(right, middle, bits))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_frames_need_no_expression() {
        assert_eq!(expression(&[0, 1, 2, 3], 4), None);
        assert_eq!(expression(&[], 0), None);
    }

    #[test]
    fn a_set_is_the_bits_of_words() {
        assert_eq!(expression(&[0, 2], 3).unwrap(), "mod(floor(if(lt(n,48),5,0)/pow(2,mod(n,48))),2)");
        let every_fifth: Vec<u64> = (0..100_000).map(|number| number * 5).collect();
        assert!(expression(&every_fifth, 500_000).unwrap().len() < 500, "a regular set is short");
    }
}
