// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! What commands share: the connection, the key, the way to print.

use crate::{
	args::{Global, StashArgs, TransferArgs},
	exit,
	output::Printer,
};
use anyhow::Context as _;
use planaria_sdk::{
	Account, AccountId32, Chain, Included, Secret, TransferTransport, Wait,
	chain::{Block, Call, View},
	transport::TransportOptions,
};
use serde::Serialize;
use std::{num::NonZeroU64, sync::Arc};

/// What commands share.
pub struct Context {
	global: Global,
	pub printer: Printer,
}

/// A transaction that succeeded, for printing.
#[derive(Debug, Serialize)]
pub struct Receipt {
	/// What was called.
	pub call: String,
	/// The transaction's hash.
	pub transaction: String,
	/// The block it is in.
	pub block: Block,
	/// Whether the block is finalized.
	pub finalized: bool,
}

impl Receipt {
	pub fn new(call: &Call, included: &Included) -> Self {
		Self {
			call: call.to_string(),
			transaction: format!("{:?}", included.hash),
			block: included.block,
			finalized: included.finalized,
		}
	}
}

impl Context {
	pub fn new(global: Global) -> Self {
		let printer = Printer::new(global.json);
		Self { global, printer }
	}

	/// The connection to the node.
	pub async fn chain(&self) -> anyhow::Result<Chain> {
		Ok(Chain::connect(&self.global.url).await?)
	}

	/// A connection to another node, if one is named.
	pub async fn node(&self, url: Option<&str>) -> anyhow::Result<Chain> {
		Ok(Chain::connect(url.unwrap_or(&self.global.url)).await?)
	}

	/// The state at the best block.
	pub async fn view(&self) -> anyhow::Result<View> {
		Ok(self.chain().await?.view().await?)
	}

	/// The key to sign with.
	pub fn secret(&self) -> anyhow::Result<Secret> {
		let missing = || {
			exit::usage(
				"a key is needed: give --key //Alice (on a development chain) or a key file, or set \
				 PLANARIA_KEY",
			)
		};
		let text = self.global.key.as_deref().ok_or_else(missing)?;
		Secret::from_text(text).context("--key")
	}

	/// The stash's key.
	pub fn stash(&self, args: &StashArgs) -> anyhow::Result<Secret> {
		match &args.stash {
			Some(text) => Secret::from_text(text).context("--stash"),
			None => self.secret(),
		}
	}

	/// The account a command is about: the one that is named, else the key's.
	pub fn account_or(&self, named: Option<AccountId32>) -> anyhow::Result<AccountId32> {
		match named {
			Some(account) => Ok(account),
			None => Ok(self.secret()?.account()),
		}
	}

	/// Signs and submits a call.
	pub async fn submit(
		&self,
		chain: Chain,
		secret: Secret,
		call: &Call,
	) -> anyhow::Result<Included> {
		let spinner = crate::bars::spinner(format!("waiting until {call} is in a block"));
		let included = Account::new(chain, secret).submit(call, Wait::default()).await;
		spinner.finish_and_clear();
		Ok(included?)
	}

	/// An endpoint for transfers.
	pub async fn transport(
		&self,
		chain: &Chain,
		args: &TransferArgs,
	) -> anyhow::Result<Arc<TransferTransport>> {
		let rate = args.rate.and_then(|rate| NonZeroU64::new(rate.0));
		let options = TransportOptions {
			relays: args.relays.clone(),
			upload_rate: rate,
			download_rate: rate,
			..TransportOptions::default()
		};
		let transport = TransferTransport::bind_with(chain.genesis(), options).await;
		Ok(Arc::new(transport.context("no endpoint for transfers")?))
	}
}
