// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Opened while it is read.

use crate::{Destination, GetError, GetReport, Ledger, Reader, Transport};
use bytes::Bytes;
use futures::{Stream, StreamExt, TryStreamExt, stream};
use planaria_seal::{Cipher, MAX_HEADER_LEN, UserKey, is_sealed};
use std::{fmt, ops::Range, pin::pin, sync::Arc};

/// Reads a sealed file, whole or in ranges: what a [`Reader`] reads, opened. Clones share it.
pub struct SealedReader<L, T> {
	reader: Reader<L, T>,
	cipher: Arc<Cipher>,
}

impl<L, T> Clone for SealedReader<L, T> {
	fn clone(&self) -> Self {
		Self { reader: self.reader.clone(), cipher: self.cipher.clone() }
	}
}

impl<L, T> fmt::Debug for SealedReader<L, T> {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		f.debug_tuple("SealedReader").field(&self.reader).finish()
	}
}

impl<L: Ledger, T: Transport> SealedReader<L, T> {
	/// Reads the header and opens it with the first of the keys that does; nothing where the file
	/// does not begin as sealed ones do.
	pub async fn open(reader: &Reader<L, T>, keys: &[UserKey]) -> Result<Option<Self>, GetError> {
		let mut head = Vec::new();
		let mut parts = pin!(reader.read(0..MAX_HEADER_LEN as u64));
		while let Some(part) = parts.next().await {
			head.extend_from_slice(&part?);
		}
		if !is_sealed(&head) {
			return Ok(None);
		}
		let cipher = Cipher::open(&head, reader.size(), keys)?;
		Ok(Some(Self { reader: reader.clone(), cipher: Arc::new(cipher) }))
	}

	/// The file's size in bytes before it was sealed.
	pub fn size(&self) -> u64 {
		self.cipher.layout().size()
	}

	/// What reads the sealed bytes.
	pub fn reader(&self) -> &Reader<L, T> {
		&self.reader
	}

	/// The bytes of a range, in order, each authentic; what lies behind the file's end is left out.
	/// After an error nothing more comes. Beside what [`Reader::read`] takes, it takes a frame of
	/// 64 KiB and the 256 KiB that are being opened.
	pub fn read(
		&self,
		range: Range<u64>,
	) -> impl Stream<Item = Result<Bytes, GetError>> + Send + use<L, T> {
		let opening = self.cipher.opening(range);
		// Little at a time, so that opening blocks for much less than a millisecond.
		let sealed = self.reader.read(opening.sealed()).map_ok(|piece| stream::iter(steps(piece)));
		let sealed = Box::pin(sealed.try_flatten());
		stream::try_unfold((opening, sealed), async |(mut opening, mut sealed)| {
			match sealed.try_next().await? {
				None => opening.finish().map(|()| None).map_err(GetError::from),
				Some(piece) => {
					let opened = opening.push(&piece)?;
					Ok(Some((opened, (opening, sealed))))
				},
			}
		})
		.map_ok(|frames| stream::iter(frames).map(|frame| Ok(Bytes::from(frame))))
		.try_flatten()
	}

	/// Writes a range to `destination`, in order, like [`Reader::write`].
	pub async fn write(
		&self,
		range: Range<u64>,
		destination: Destination,
	) -> Result<GetReport, GetError> {
		self.reader.save(self.read(range), destination).await
	}
}

/// A piece in steps.
fn steps(mut piece: Bytes) -> impl Iterator<Item = Result<Bytes, GetError>> + Send {
	const STEP: usize = 256 << 10;
	std::iter::from_fn(move || {
		(!piece.is_empty()).then(|| Ok(piece.split_to(piece.len().min(STEP))))
	})
}
