// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Frames: length, then SCALE.

use crate::protocol::MAX_FRAME;
use codec::{DecodeAll, Encode};
use iroh::endpoint::{ReadError, ReadExactError, RecvStream, SendStream, WriteError};

/// Why no message could be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FrameError {
	#[error("a frame of {0} bytes is too long")]
	TooLong(u32),
	#[error("a frame is not understood")]
	Malformed,
	#[error("the stream ended in the middle of a frame")]
	Truncated,
	#[error(transparent)]
	Read(#[from] ReadError),
}

impl FrameError {
	/// Whether the peer is to blame, rather than the line.
	pub(crate) fn is_malformed(&self) -> bool {
		matches!(self, Self::TooLong(_) | Self::Malformed)
	}
}

impl From<ReadExactError> for FrameError {
	fn from(error: ReadExactError) -> Self {
		match error {
			ReadExactError::FinishedEarly(_) => Self::Truncated,
			ReadExactError::ReadError(error) => Self::Read(error),
		}
	}
}

/// Reads a frame's bytes.
pub(crate) async fn read_bytes(recv: &mut RecvStream) -> Result<Vec<u8>, FrameError> {
	let mut len = [0; 4];
	recv.read_exact(&mut len).await?;
	let len = u32::from_le_bytes(len);
	if len > MAX_FRAME {
		return Err(FrameError::TooLong(len));
	}
	let mut bytes = vec![0; len as usize];
	recv.read_exact(&mut bytes).await?;
	Ok(bytes)
}

/// Reads a message.
pub(crate) async fn read<T: DecodeAll>(recv: &mut RecvStream) -> Result<T, FrameError> {
	let bytes = read_bytes(recv).await?;
	T::decode_all(&mut &bytes[..]).map_err(|_| FrameError::Malformed)
}

/// Writes a message.
pub(crate) async fn write(send: &mut SendStream, message: &impl Encode) -> Result<(), WriteError> {
	let mut bytes = vec![0; 4];
	message.encode_to(&mut bytes);
	let len = u32::try_from(bytes.len() - 4).unwrap_or(u32::MAX);
	debug_assert!(len <= MAX_FRAME);
	bytes[..4].copy_from_slice(&len.to_le_bytes());
	send.write_chunk(bytes.into()).await
}
