// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! What can go wrong between a program and the chain.

use std::time::Duration;
use subxt::error::DispatchError;

/// Why the chain could not be asked, or said no.
#[derive(Debug, thiserror::Error)]
pub enum ChainError {
	/// The node cannot be reached or the connection broke.
	#[error("the node at {url} cannot be reached: {reason}")]
	Unreachable {
		/// Where it should be.
		url: String,
		/// What the connection said.
		reason: String,
	},
	/// The node's chain is another one.
	#[error("the node at {url} is not of a Planaria chain: {reason}")]
	WrongChain {
		/// Where the node is.
		url: String,
		/// What shows it.
		reason: String,
	},
	/// The node answered with an error.
	#[error("the node refused {method}: {message}")]
	Rpc {
		/// What it was asked.
		method: String,
		/// Its code for the error.
		code: i32,
		/// What it said.
		message: String,
	},
	/// The chain executed the transaction, and it failed.
	#[error(transparent)]
	Refused(#[from] Refusal),
	/// The transaction did not get into a block.
	#[error("the transaction was not accepted: {0}")]
	Rejected(String),
	/// The transaction is in no block after this time. It may still get into one.
	#[error("the transaction is in no block after {} s; it may still get into one", .0.as_secs())]
	Timeout(Duration),
	/// The chain's answer is not what this version understands.
	#[error("the chain's runtime is not one this program understands: {0}; update the program")]
	Incompatible(String),
}

/// An error of the runtime.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{pallet}.{error}{}{docs}", if .docs.is_empty() { "" } else { ": " })]
pub struct Refusal {
	/// The pallet it comes from, or `System`.
	pub pallet: String,
	/// Its name.
	pub error: String,
	/// What the runtime's metadata says about it.
	pub docs: String,
}

impl Refusal {
	/// Whether it is this error of this pallet.
	pub fn is(&self, pallet: &str, error: &str) -> bool {
		self.pallet == pallet && self.error == error
	}
}

impl From<DispatchError> for Refusal {
	fn from(error: DispatchError) -> Self {
		let system =
			|name: &str, docs: String| Self { pallet: "System".into(), error: name.into(), docs };
		match error {
			DispatchError::Module(module) => match module.details() {
				Ok(details) => Self {
					pallet: details.pallet.name().into(),
					error: details.variant.name.clone(),
					docs: details.variant.docs.join(" ").trim().into(),
				},
				Err(_) => system("Module", module.details_string()),
			},
			DispatchError::Token(error) => system("Token", error.to_string()),
			DispatchError::BadOrigin => system("BadOrigin", "this account may not do that".into()),
			other => system("DispatchError", other.to_string()),
		}
	}
}

impl ChainError {
	/// Wraps an error of a request.
	pub(crate) fn rpc(url: &str, method: &str, error: subxt::rpcs::Error) -> Self {
		match error {
			subxt::rpcs::Error::User(user) => {
				let detail = user.data.as_ref().map(|data| data.get().trim_matches('"'));
				let message = match detail {
					Some(detail) => format!("{}: {detail}", user.message),
					None => user.message,
				};
				Self::Rpc { method: method.into(), code: user.code, message }
			},
			subxt::rpcs::Error::Deserialization(error) => Self::Incompatible(error.to_string()),
			other => Self::Unreachable { url: url.into(), reason: plain(&other) },
		}
	}

	/// Wraps an error of subxt: a broken connection or metadata that does not fit.
	pub(crate) fn subxt(url: &str, error: impl Into<subxt::Error>) -> Self {
		let error = error.into();
		let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&error);
		while let Some(inner) = cause {
			if let Some(subxt::rpcs::Error::Client(reason)) = inner.downcast_ref() {
				return Self::Unreachable { url: url.into(), reason: plain(&**reason) };
			}
			cause = inner.source();
		}
		Self::Incompatible(error.to_string())
	}

	/// Whether it is worth asking again: the connection broke, nothing was refused.
	pub fn is_transient(&self) -> bool {
		matches!(self, Self::Unreachable { .. } | Self::Timeout(_))
	}
}

/// What went wrong with the connection, without what every layer puts before it.
fn plain(error: &dyn std::error::Error) -> String {
	let message = error.to_string();
	let mut rest = message.as_str();
	while let Some(inner) = rest.strip_prefix("RPC error: client error: ") {
		rest = inner;
	}
	rest.into()
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn a_broken_connection_is_said_once() {
		use subxt::rpcs::Error;
		let inner = Error::Client("connection refused".into());
		let error = ChainError::rpc("ws://x", "m", Error::Client(Box::new(inner)));
		let expected = "the node at ws://x cannot be reached: connection refused";
		assert_eq!(error.to_string(), expected);
		assert!(error.is_transient());
	}

	#[test]
	fn a_refusal_says_what_the_metadata_says() {
		let refusal = Refusal {
			pallet: "Files".into(),
			error: "NotOwner".into(),
			docs: "Only the owner may do that.".into(),
		};
		assert_eq!(refusal.to_string(), "Files.NotOwner: Only the owner may do that.");
		assert!(refusal.is("Files", "NotOwner") && !refusal.is("Miners", "NotOwner"));
		let other = Refusal::from(DispatchError::BadOrigin);
		assert_eq!(other.to_string(), "System.BadOrigin: this account may not do that");
		assert_eq!(Refusal { docs: String::new(), ..refusal }.to_string(), "Files.NotOwner");
	}
}
