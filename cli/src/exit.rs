// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! How the program ends.

use anyhow::Error;
use planaria_sdk::{
	ChainError, GetError, KeyError, PutError,
	chain::Refusal,
	sealed::{self, OpenError},
};
use std::{fmt, process::ExitCode};

/// What scripts can tell apart. The numbers are documented in --help.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Code {
	Failure = 1,
	Usage = 2,
	NotFound = 3,
	Refused = 4,
	Network = 5,
	Unrestorable = 6,
}

/// An error of this program's own, with its code.
#[derive(Debug)]
pub struct Failure {
	pub code: Code,
	pub message: String,
}

impl fmt::Display for Failure {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		f.write_str(&self.message)
	}
}

impl std::error::Error for Failure {}

/// Something that is not there.
pub fn not_found(message: impl Into<String>) -> Error {
	Failure { code: Code::NotFound, message: message.into() }.into()
}

/// A wrong use of a command that its syntax does not show.
pub fn usage(message: impl Into<String>) -> Error {
	Failure { code: Code::Usage, message: message.into() }.into()
}

/// Somebody does not do what was asked.
pub fn refused(message: impl Into<String>) -> Error {
	Failure { code: Code::Refused, message: message.into() }.into()
}

/// Somebody cannot be reached, or fails.
pub fn network(message: impl Into<String>) -> Error {
	Failure { code: Code::Network, message: message.into() }.into()
}

/// The user wants no more.
pub fn interrupted() -> Error {
	Failure { code: Code::Failure, message: "interrupted".into() }.into()
}

fn of_chain(error: &ChainError) -> Code {
	match error {
		ChainError::Refused(_) | ChainError::Rejected(_) | ChainError::Rpc { .. } => Code::Refused,
		ChainError::Unreachable { .. } | ChainError::Timeout(_) => Code::Network,
		ChainError::WrongChain { .. } | ChainError::Incompatible(_) => Code::Failure,
	}
}

/// The code for an error.
pub fn code(error: &Error) -> Code {
	error.chain().find_map(of_cause).unwrap_or(Code::Failure)
}

fn of_cause(cause: &(dyn std::error::Error + 'static)) -> Option<Code> {
	if let Some(failure) = cause.downcast_ref::<Failure>() {
		return Some(failure.code);
	}
	if let Some(error) = cause.downcast_ref::<ChainError>() {
		return Some(of_chain(error));
	}
	if cause.is::<KeyError>() || cause.is::<sealed::KeyError>() {
		return Some(Code::Usage);
	}
	if let Some(error) = cause.downcast_ref::<PutError>() {
		return Some(match error {
			PutError::Chain(error) => of_chain(error),
			PutError::Unconfirmed { .. } | PutError::NotDrawn(_) => Code::Network,
			_ => Code::Failure,
		});
	}
	if let Some(error) = cause.downcast_ref::<GetError>() {
		return Some(match error {
			GetError::NotFound(_) => Code::NotFound,
			GetError::Chain(error) => of_chain(error),
			GetError::Unrestorable { .. } | GetError::NotCodeword { .. } => Code::Unrestorable,
			_ => Code::Failure,
		});
	}
	None
}

/// What to do about what the chain has refused.
fn of_refusal(refusal: &Refusal) -> Option<&'static str> {
	if refusal.pallet != "Space" {
		return None;
	}
	match refusal.error.as_str() {
		"NoSpace" => Some(
			"'planaria space quote' shows what space costs, 'planaria space buy' buys it; or store in \
			 the name of somebody who has some with --payer",
		),
		"OutOfSpace" => Some("add bytes with 'planaria space grow', or delete files"),
		"InGrace" => Some("add time with 'planaria space renew'"),
		"NotAuthorised" | "AuthorisationOver" | "OverLimit" => {
			Some("the owner of the space can let you with 'planaria space authorise'")
		},
		"StillUsed" => Some("'planaria file list' shows what is stored"),
		_ => None,
	}
}

/// What to do about an error, where the error itself does not say it.
fn advice(error: &Error) -> Option<&'static str> {
	error.chain().find_map(|cause| {
		let chain = cause.downcast_ref::<ChainError>();
		let chain = chain.or_else(|| match cause.downcast_ref::<PutError>() {
			Some(PutError::Chain(error)) => Some(error),
			_ => None,
		});
		let chain = chain.or_else(|| match cause.downcast_ref::<GetError>() {
			Some(GetError::Chain(error)) => Some(error),
			_ => None,
		});
		match chain {
			Some(ChainError::Unreachable { .. }) => {
				Some("start a node, or give another one with --url or PLANARIA_URL")
			},
			Some(ChainError::Rpc { code: -32601, .. }) => {
				Some("the node does not answer this: is it started with --miner, and is it local?")
			},
			Some(ChainError::Refused(refusal)) => of_refusal(refusal),
			Some(_) => None,
			None => match cause.downcast_ref::<GetError>() {
				Some(GetError::Exists(_)) => Some("overwrite it with --force"),
				Some(GetError::Sealed(OpenError::WrongKey)) => Some(
					"give the key it was encrypted with by --key-file, or take it as it is with --raw",
				),
				Some(GetError::Unrestorable { .. }) => {
					Some("try again later; 'planaria file status' shows what is missing")
				},
				_ => None,
			},
		}
	})
}

/// Tells an error and ends.
pub fn report(error: &Error, json: bool) -> ExitCode {
	let code = code(error);
	let message = format!("{error:#}");
	if json {
		let document = serde_json::json!({
			"error": message,
			"code": code as u8,
			"advice": advice(error),
		});
		eprintln!("{document}");
	} else {
		eprintln!("error: {message}");
		if let Some(advice) = advice(error) {
			eprintln!("hint: {advice}");
		}
	}
	ExitCode::from(code as u8)
}

#[cfg(test)]
mod tests {
	use super::*;
	use planaria_sdk::{
		Target,
		primitives::{FileIndex, SpecError},
	};

	fn unreachable() -> ChainError {
		ChainError::Unreachable { url: "ws://x".into(), reason: "refused".into() }
	}

	#[test]
	fn every_error_has_its_code() {
		let refusal = Refusal { pallet: "Files".into(), error: "X".into(), docs: String::new() };
		let have = (0, 1, 2, Vec::new());
		let (segment, have, need, reasons) = have;
		for (error, expected) in [
			(Error::from(unreachable()), Code::Network),
			(PutError::Chain(unreachable()).into(), Code::Network),
			(ChainError::from(refusal).into(), Code::Refused),
			(ChainError::Rejected("poor".into()).into(), Code::Refused),
			(GetError::NotFound(Target::File(FileIndex(1))).into(), Code::NotFound),
			(GetError::Unrestorable { segment, have, need, reasons }.into(), Code::Unrestorable),
			(GetError::NotCodeword { segment: 1 }.into(), Code::Unrestorable),
			(PutError::Spec(SpecError::Empty).into(), Code::Failure),
			(KeyError::BadUri.into(), Code::Usage),
			(not_found("nothing"), Code::NotFound),
			(usage("how"), Code::Usage),
			(anyhow::anyhow!("any"), Code::Failure),
			(Error::from(unreachable()).context("while trying"), Code::Network),
		] {
			assert_eq!(code(&error), expected, "{error:#}");
		}
	}

	#[test]
	fn errors_say_what_to_do() {
		assert!(advice(&unreachable().into()).is_some_and(|advice| advice.contains("--url")));
		assert!(advice(&PutError::Chain(unreachable()).into()).is_some());
		assert_eq!(advice(&GetError::Exists("a".into()).into()), Some("overwrite it with --force"));
		let wrong_key = GetError::from(OpenError::WrongKey);
		assert!(advice(&wrong_key.into()).is_some_and(|advice| advice.contains("--key-file")));
		let refused = |error: &str| {
			let (pallet, error) = ("Space".into(), error.into());
			PutError::Chain(Refusal { pallet, error, docs: String::new() }.into())
		};
		let advised = |error: &str| advice(&refused(error).into()).unwrap_or_default();
		assert!(advised("NoSpace").contains("planaria space buy"));
		assert!(advised("OutOfSpace").contains("planaria space grow"));
		assert_eq!(advised("Overflow"), "");
		assert_eq!(advice(&anyhow::anyhow!("any")), None);
	}
}
