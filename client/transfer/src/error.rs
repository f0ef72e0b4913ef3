// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Why a transfer failed.

use crate::{
	address::AddressError, bao::WrongBytes, frame::FrameError, pace::Stalled, protocol::close,
};
use iroh::endpoint::{
	ConnectError, ConnectingError, ConnectionError, ReadError, TransportErrorCode, WriteError,
};
use planaria_primitives::SidecarError;

/// Why a transfer failed. What to do about it: [`is_interrupted`](Self::is_interrupted) and
/// [`is_peers_fault`](Self::is_peers_fault).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransferError {
	/// The peer cannot be dialled.
	#[error(transparent)]
	Address(#[from] AddressError),
	/// The peer does not answer, or is not who its key says.
	#[error("cannot connect: {0}")]
	Connect(String),
	/// The peer belongs to another chain.
	#[error("the peer belongs to another chain")]
	WrongGenesis {
		/// Its genesis hash, where it said so.
		theirs: Option<[u8; 32]>,
	},
	/// The peer speaks another version.
	#[error("the peer speaks another version of the protocol")]
	WrongVersion {
		/// Its version, where it said so.
		theirs: Option<u16>,
	},
	/// The peer has too much to do.
	#[error("the peer is busy")]
	Busy,
	/// The peer does not hold the fragment.
	#[error("the peer does not hold the fragment")]
	NotFound,
	/// The peer's copy is damaged, and the peer knows.
	#[error("the peer's copy is damaged")]
	Damaged,
	/// The peer's store failed.
	#[error("the peer's store failed")]
	PeerFailed,
	/// The file has no such fragment, or the fragment no such range.
	#[error("the file has no such fragment or range")]
	NoSuchRange,
	/// The peer says that the fragment has a length that the file's geometry rules out.
	#[error("the peer has a fragment of {theirs} bytes instead of {expected}")]
	WrongLength {
		/// What it must be.
		expected: u32,
		/// What the peer says.
		theirs: u32,
	},
	/// The sidecar does not lead to the file's id. No byte was taken.
	#[error("wrong sidecar: {0}")]
	WrongSidecar(SidecarError),
	/// A byte of the group at this offset, or of a hash above it, is wrong. What came before it is
	/// right.
	#[error("wrong bytes at offset {offset}")]
	WrongBytes {
		/// The group's first byte.
		offset: u32,
	},
	/// The peer says that it received a wrong byte in the group at this offset.
	#[error("the peer received wrong bytes at offset {offset}")]
	WrongBytesSent {
		/// The group's first byte.
		offset: u32,
	},
	/// The peer moved too little for too long.
	#[error("the peer stalled")]
	Stalled,
	/// The stream or the connection ended too early.
	#[error("interrupted: {0}")]
	Interrupted(String),
	/// The peer sent what the protocol does not allow.
	#[error("protocol violation: {0}")]
	Protocol(String),
	/// This endpoint is closed.
	#[error("this endpoint is closed")]
	Closed,
}

impl TransferError {
	/// Whether the line or the peer's process failed, so that going on where it stopped makes
	/// sense.
	pub fn is_interrupted(&self) -> bool {
		matches!(self, Self::Interrupted(_) | Self::Stalled)
	}

	/// Whether the peer did what no honest one does.
	pub fn is_peers_fault(&self) -> bool {
		matches!(
			self,
			Self::WrongLength { .. }
				| Self::WrongSidecar(_)
				| Self::WrongBytes { .. }
				| Self::Protocol(_)
		)
	}
}

impl From<WrongBytes> for TransferError {
	fn from(wrong: WrongBytes) -> Self {
		Self::WrongBytes { offset: wrong.offset }
	}
}

impl From<Stalled> for TransferError {
	fn from(_: Stalled) -> Self {
		Self::Stalled
	}
}

impl From<ConnectionError> for TransferError {
	fn from(error: ConnectionError) -> Self {
		match &error {
			ConnectionError::ApplicationClosed(reason) => match reason.error_code {
				close::WRONG_VERSION => Self::WrongVersion { theirs: None },
				close::WRONG_GENESIS => Self::WrongGenesis { theirs: None },
				close::BUSY => Self::Busy,
				close::MALFORMED => Self::Protocol(error.to_string()),
				_ => Self::Interrupted(error.to_string()),
			},
			ConnectionError::ConnectionClosed(reason)
				if reason.error_code == TransportErrorCode::CONNECTION_REFUSED =>
			{
				Self::Busy
			},
			ConnectionError::LocallyClosed => Self::Closed,
			_ => Self::Interrupted(error.to_string()),
		}
	}
}

impl From<ConnectError> for TransferError {
	fn from(error: ConnectError) -> Self {
		match error {
			ConnectError::Connection { source, .. }
			| ConnectError::Connecting {
				source: ConnectingError::ConnectionError { source, .. },
				..
			} => match Self::from(source) {
				Self::Interrupted(reason) => Self::Connect(reason),
				other => other,
			},
			other => Self::Connect(other.to_string()),
		}
	}
}

impl From<ReadError> for TransferError {
	fn from(error: ReadError) -> Self {
		match error {
			ReadError::ConnectionLost(error) => error.into(),
			other => Self::Interrupted(other.to_string()),
		}
	}
}

impl From<WriteError> for TransferError {
	fn from(error: WriteError) -> Self {
		match error {
			WriteError::ConnectionLost(error) => error.into(),
			other => Self::Interrupted(other.to_string()),
		}
	}
}

impl From<FrameError> for TransferError {
	fn from(error: FrameError) -> Self {
		match error {
			FrameError::Read(error) => error.into(),
			FrameError::Truncated => Self::Interrupted(error.to_string()),
			malformed => Self::Protocol(malformed.to_string()),
		}
	}
}
