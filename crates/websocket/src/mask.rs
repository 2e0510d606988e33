//! Masking (RFC 6455, 5.3), with the test for ASCII in the same pass.

/// XORs `payload` with `key`, starting at the key's first byte, and says whether the result is all ASCII. Masking and
/// unmasking are the same. Costs one pass; any alignment will do.
pub fn apply(payload: &mut [u8], key: [u8; 4]) -> bool {
    let len = payload.len();
    if len < 8 {
        return apply_short(payload, key);
    }
    if len < 32 {
        return apply_blocks::<8>(payload, key);
    }
    #[cfg(target_arch = "x86_64")]
    if len >= 64 && is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has AVX2, which is all that `apply_avx2` asks for.
        return unsafe { apply_avx2(payload, key) };
    }
    apply_blocks::<16>(payload, key)
}

/// The key as it stands `by` bytes further on.
pub fn rotate(key: [u8; 4], by: usize) -> [u8; 4] {
    let mut key = key;
    key.rotate_left(by % 4);
    key
}

/// Three words or fewer bytes than a block: two halves that may overlap, or single bytes.
#[inline]
fn apply_short(payload: &mut [u8], key: [u8; 4]) -> bool {
    if payload.len() >= 4 {
        return apply_blocks::<4>(payload, key);
    }
    let mut seen = 0;
    for (byte, key) in payload.iter_mut().zip(key) {
        *byte ^= key;
        seen |= *byte;
    }
    seen.is_ascii()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn apply_avx2(payload: &mut [u8], key: [u8; 4]) -> bool {
    apply_blocks::<32>(payload, key)
}

/// `payload` must have at least `N` bytes. The last `N` of them are worked out before the others change and written
/// after them: where the two overlap, both write the same, and no rest is left to do byte by byte.
#[inline(always)]
fn apply_blocks<const N: usize>(payload: &mut [u8], key: [u8; 4]) -> bool {
    let last_at = payload.len() - N;
    let mut last = [0; N];
    last.copy_from_slice(&payload[last_at..]);
    let mut seen = [0; N];
    xor(&mut last, &repeat(rotate(key, last_at)), &mut seen);
    let key = repeat(key);
    let (blocks, _) = payload.as_chunks_mut::<N>();
    for block in blocks {
        xor(block, &key, &mut seen);
    }
    payload[last_at..].copy_from_slice(&last);
    seen.is_ascii()
}

#[inline(always)]
fn xor<const N: usize>(block: &mut [u8; N], key: &[u8; N], seen: &mut [u8; N]) {
    for i in 0..N {
        block[i] ^= key[i];
        seen[i] |= block[i];
    }
}

#[inline(always)]
fn repeat<const N: usize>(key: [u8; 4]) -> [u8; N] {
    std::array::from_fn(|i| key[i % 4])
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

    fn naive(payload: &[u8], key: [u8; 4]) -> Vec<u8> {
        payload.iter().enumerate().map(|(i, byte)| byte ^ key[i % 4]).collect()
    }

    #[test]
    fn masking_is_an_xor_with_the_repeated_key_at_every_length_and_alignment() {
        let bytes: Vec<u8> = (0..400u32).map(|i| (i * 7 + i / 5) as u8).collect();
        for offset in 0..33 {
            for len in 0..300 {
                let mut masked = bytes.clone();
                let ascii = apply(&mut masked[offset..offset + len], KEY);
                let expected = naive(&bytes[offset..offset + len], KEY);
                assert_eq!(masked[offset..offset + len], expected, "{offset} {len}");
                assert_eq!(ascii, expected.is_ascii(), "{offset} {len}");
                assert_eq!(masked[..offset], bytes[..offset]);
                assert_eq!(masked[offset + len..], bytes[offset + len..]);
            }
        }
    }

    #[test]
    fn one_byte_that_is_not_ascii_is_seen_wherever_it_stands() {
        for len in 1..200 {
            for at in 0..len {
                let mut text = vec![b'a'; len];
                let mut masked = naive(&text, KEY);
                assert!(apply(&mut masked, KEY));
                assert_eq!(masked, text);
                text[at] = 0x80;
                let mut masked = naive(&text, KEY);
                assert!(!apply(&mut masked, KEY), "{len} {at}");
                assert_eq!(masked, text);
            }
        }
    }

    #[test]
    fn a_frame_in_two_pieces_is_masked_as_in_one() {
        let bytes: Vec<u8> = (0..100).collect();
        for cut in 0..100 {
            let mut masked = bytes.clone();
            let (first, second) = masked.split_at_mut(cut);
            apply(first, KEY);
            apply(second, rotate(KEY, cut));
            assert_eq!(masked, naive(&bytes, KEY));
        }
    }
}
