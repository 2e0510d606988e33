//! Masking (RFC 6455, 5.3), with the test for ASCII in the same pass.

use std::ops::{BitOr, BitXor};

/// XORs `payload` with `key`, starting at the key's first byte, and says whether the result is all
/// ASCII. Masking and unmasking are the same. Costs one pass; any alignment will do.
#[inline]
pub fn apply(payload: &mut [u8], key: [u8; 4]) -> bool {
    match payload.len() {
        0..4 => {
            let mut seen = 0;
            for (byte, key) in payload.iter_mut().zip(key) {
                *byte ^= key;
                seen |= *byte;
            }
            seen.is_ascii()
        }
        4..8 => apply_words::<u32, 4>(payload, key),
        8..16 => apply_words::<u64, 8>(payload, key),
        16..LONG => apply_words::<u128, 16>(payload, key),
        LONG.. => apply_long(payload, key),
    }
}

/// Appends `payload`, XORed with `key`, to `out`, and says whether what was appended is all ASCII.
/// Cheaper than [`apply`] and a copy.
pub fn append(out: &mut Vec<u8>, payload: &[u8], key: [u8; 4]) -> bool {
    #[cfg(target_arch = "x86_64")]
    if payload.len() >= LONG && is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has AVX2, which is all that `append` asks for.
        return unsafe { avx2::append(out, payload, key) };
    }
    let start = out.len();
    out.extend_from_slice(payload);
    apply(&mut out[start..], key)
}

/// The key as it stands `by` bytes further on.
#[inline]
pub fn rotate(key: [u8; 4], by: usize) -> [u8; 4] {
    // As one number: the bytes of an array would be moved one by one.
    u32::from_le_bytes(key).rotate_right(8 * (by % 4) as u32).to_le_bytes()
}

fn apply_long(payload: &mut [u8], key: [u8; 4]) -> bool {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has AVX2, which is all that `apply` asks for.
        return unsafe { avx2::apply(payload, key) };
    }
    apply_words::<u128, 16>(payload, key)
}

/// `payload` must have at least `N` bytes. The last `N` of them are worked out before the others
/// change and written after them: where the two overlap, both write the same, and no rest is left
/// to do byte by byte.
#[inline(always)]
fn apply_words<T: Word<N>, const N: usize>(payload: &mut [u8], key: [u8; 4]) -> bool {
    let last_at = payload.len() - N;
    let mut last = [0; N];
    last.copy_from_slice(&payload[last_at..]);
    let last = T::from_bytes(last) ^ T::from_bytes(repeat(rotate(key, last_at)));
    let key = T::from_bytes(repeat(key));
    let mut seen = last;
    for block in payload.as_chunks_mut::<N>().0 {
        let word = T::from_bytes(*block) ^ key;
        seen = seen | word;
        *block = word.to_bytes();
    }
    payload[last_at..].copy_from_slice(&last.to_bytes());
    seen.is_ascii()
}

#[inline(always)]
fn repeat<const N: usize>(key: [u8; 4]) -> [u8; N] {
    let mut repeated = [0; N];
    for part in repeated.as_chunks_mut::<4>().0 {
        *part = key;
    }
    repeated
}

/// A block that is one number: what is as short as this and stands in an array, the compiler takes
/// apart.
trait Word<const N: usize>: Copy + BitXor<Output = Self> + BitOr<Output = Self> {
    fn from_bytes(bytes: [u8; N]) -> Self;
    fn to_bytes(self) -> [u8; N];
    fn is_ascii(self) -> bool;
}

macro_rules! word {
    ($type:ty, $bytes:literal) => {
        impl Word<$bytes> for $type {
            #[inline(always)]
            fn from_bytes(bytes: [u8; $bytes]) -> Self {
                Self::from_le_bytes(bytes)
            }

            #[inline(always)]
            fn to_bytes(self) -> [u8; $bytes] {
                self.to_le_bytes()
            }

            #[inline(always)]
            fn is_ascii(self) -> bool {
                self & Self::from_le_bytes([0x80; $bytes]) == 0
            }
        }
    };
}

word!(u32, 4);
word!(u64, 8);
word!(u128, 16);

/// The same in blocks of 32 bytes, for processors that have AVX2. The blocks are arrays, which the
/// compiler puts into the wide registers.
#[cfg(target_arch = "x86_64")]
mod avx2 {
    use super::{repeat, rotate};

    type Block = [u8; BLOCK];

    const BLOCK: usize = 32;

    /// From how many bytes on alignment pays for itself.
    const ALIGNED_FROM: usize = 4096;

    /// `payload` must have at least two blocks.
    #[target_feature(enable = "avx2")]
    pub(super) fn apply(payload: &mut [u8], key: [u8; 4]) -> bool {
        if payload.len() < ALIGNED_FROM {
            return apply_blocks(payload, key);
        }
        // The first block is treated as `apply_blocks` treats the last, so that those between begin
        // at a multiple of 32 in memory.
        let mut first = [0; BLOCK];
        first.copy_from_slice(&payload[..BLOCK]);
        let mut seen = [0; BLOCK];
        xor(&mut first, &repeat(key), &mut seen);
        let skipped = payload.as_ptr().align_offset(BLOCK).min(BLOCK);
        let ascii = apply_blocks(&mut payload[skipped..], rotate(key, skipped));
        payload[..BLOCK].copy_from_slice(&first);
        ascii && seen.is_ascii()
    }

    #[target_feature(enable = "avx2")]
    pub(super) fn append(out: &mut Vec<u8>, payload: &[u8], key: [u8; 4]) -> bool {
        out.reserve(payload.len());
        let (blocks, rest) = payload.as_chunks::<BLOCK>();
        let (spare, _) = out.spare_capacity_mut().as_chunks_mut::<BLOCK>();
        let mut seen = [0; BLOCK];
        let repeated = repeat(key);
        for (spare, block) in spare.iter_mut().zip(blocks) {
            let mut block = *block;
            xor(&mut block, &repeated, &mut seen);
            spare.write_copy_of_slice(&block);
        }
        let start = out.len() + blocks.len() * BLOCK;
        // SAFETY: the room for all of `payload` was reserved, so that `spare` had at least as many
        // blocks as `blocks`, and the loop wrote each of them.
        unsafe { out.set_len(start) };
        out.extend_from_slice(rest);
        // Whole blocks leave the key where it was.
        let ascii = super::apply(&mut out[start..], key);
        ascii && seen.is_ascii()
    }

    /// See [`super::apply_words`].
    #[inline]
    #[target_feature(enable = "avx2")]
    fn apply_blocks(payload: &mut [u8], key: [u8; 4]) -> bool {
        let last_at = payload.len() - BLOCK;
        let mut last = [0; BLOCK];
        last.copy_from_slice(&payload[last_at..]);
        let mut seen = [0; BLOCK];
        xor(&mut last, &repeat(rotate(key, last_at)), &mut seen);
        let key = repeat(key);
        for block in payload.as_chunks_mut::<BLOCK>().0 {
            xor(block, &key, &mut seen);
        }
        payload[last_at..].copy_from_slice(&last);
        seen.is_ascii()
    }

    #[inline(always)]
    fn xor(block: &mut Block, key: &Block, seen: &mut Block) {
        for i in 0..BLOCK {
            block[i] ^= key[i];
            seen[i] |= block[i];
        }
    }
}

/// From how many bytes on wider registers pay for the question whether there are any.
const LONG: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

    fn naive(payload: &[u8], key: [u8; 4]) -> Vec<u8> {
        payload.iter().enumerate().map(|(i, byte)| byte ^ key[i % 4]).collect()
    }

    #[test]
    fn masking_is_an_xor_with_the_repeated_key_at_every_length_and_alignment() {
        let bytes: Vec<u8> = (0..5000u32).map(|i| (i * 7 + i / 5) as u8).collect();
        for offset in 0..33 {
            for len in (0..300).chain([4095, 4096, 4097, 4900]) {
                let mut masked = bytes.clone();
                let ascii = apply(&mut masked[offset..offset + len], KEY);
                let expected = naive(&bytes[offset..offset + len], KEY);
                assert_eq!(masked[offset..offset + len], expected, "{offset} {len}");
                assert_eq!(ascii, expected.is_ascii(), "{offset} {len}");
                assert_eq!(masked[..offset], bytes[..offset]);
                assert_eq!(masked[offset + len..], bytes[offset + len..]);
                let mut appended = bytes[..offset].to_vec();
                let also_ascii = append(&mut appended, &bytes[offset..offset + len], KEY);
                assert_eq!((&appended[..offset], also_ascii), (&bytes[..offset], ascii));
                assert_eq!(appended[offset..], expected, "{offset} {len}");
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
