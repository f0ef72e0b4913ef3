// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! What a gateway parses itself. HTTP, signatures, XML and signed chunks are `s3s`'s.

use bytes::BytesMut;
use planaria_gateway::{
	Config,
	cache::Block,
	config::PeerUrl,
	digest::{Algorithm, SumKind, assembled_checksum},
	keys::Keys,
	peers::take_frame,
	plain::{names, parse_part, parse_place, parse_range},
};
use planaria_transfer::{Fragment, Verifier};
use std::sync::LazyLock;

/// Texts: what is understood makes sense, and says the same when it is written again. The first
/// byte is a size.
pub fn text(data: &[u8]) {
	let (size, data) = data.split_first().unwrap_or((&0, data));
	let size = u64::from(*size);
	let text = String::from_utf8_lossy(data);
	if let Ok(Some(range)) = parse_range(&text, size) {
		assert!(range.start < range.end && range.end <= size);
	}
	let len = u32::from(data.len() as u8);
	if let Some(range) = parse_part(&text, len) {
		assert!(range.start < range.end && range.end <= len);
	}
	if let Some((segment, index)) = parse_place(&text) {
		let shown = format!("{segment}/{index}");
		assert_eq!(parse_place(&shown), Some((segment, index)));
	}
	let etag = format!("\"{size}\"");
	if names(&text, &etag) {
		assert!(text.contains(&etag) || text.contains('*'));
	}
	if let Some(block) = Block::named(&text) {
		assert_eq!(block.name(), text);
	}
	if let Ok(url) = text.parse::<PeerUrl>() {
		assert!(url.as_str().starts_with("http://"));
		assert_eq!(url.as_str().parse().as_ref(), Ok(&url));
	}
	if let Ok(config) = Config::parse(&text) {
		assert!(config.peers.iter().all(|url| url.as_str().parse().as_ref() == Ok(url)));
	}
	if let Ok(keys) = Keys::parse(data) {
		let written = serde_json::to_vec(&keys).expect("keys are text");
		assert_eq!(Keys::parse(&written).expect("what was written is read"), keys);
	}
	for algorithm in [Algorithm::Crc32, Algorithm::Crc64Nvme, Algorithm::Sha256] {
		for kind in [SumKind::FullObject, SumKind::Composite] {
			let sum = assembled_checksum(algorithm, kind, &[(text.clone().into_owned(), size)]);
			assert!(sum.is_none_or(|sum| SumKind::of(&sum) == kind));
		}
	}
}

/// A fragment of several groups, the last one short.
static FRAGMENT: LazyLock<Fragment> =
	LazyLock::new(|| Fragment::new((0..100_032u32).map(|n| (n % 251) as u8).collect::<Vec<_>>()));

/// A fragment as another gateway sends it: what is verified is right, whatever was changed on the
/// way. The first bytes say which part; then come places and what is changed there.
pub fn stream(data: &[u8]) {
	let mut frame = BytesMut::from(data);
	if let Ok(Some(taken)) = take_frame(&mut frame) {
		assert_eq!(taken.len() + frame.len() + 4, data.len());
	}
	let byte = |at: usize| u32::from(data.get(at).copied().unwrap_or(0));
	let fragment = &*FRAGMENT;
	let start = (byte(0) << 8 | byte(1)) % fragment.len();
	let end = (start + 1 + (byte(2) << 8 | byte(3))).min(fragment.len());
	let mut sent: Vec<u8> = fragment.encode(&(start..end)).flatten().collect();
	for change in data.get(4..).unwrap_or_default().chunks_exact(3) {
		let at = (usize::from(change[0]) << 8 | usize::from(change[1])) % sent.len();
		sent[at] ^= change[2];
	}
	let mut verifier = Verifier::new(&fragment.hash(), fragment.len(), &(start..end));
	let mut at = start as usize / (16 << 10) * (16 << 10);
	for piece in sent.chunks(7_777) {
		verifier.push(piece);
		loop {
			match verifier.next_group() {
				Ok(Some(group)) => {
					assert_eq!(fragment.bytes()[at..at + group.len()], group);
					at += group.len();
				},
				Ok(None) => break,
				Err(_) => return,
			}
		}
	}
	assert!(verifier.is_done() && at >= end as usize);
}
