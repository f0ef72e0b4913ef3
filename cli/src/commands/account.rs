// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

use crate::{
	args::AccountCommand,
	context::{Context, Receipt},
	output::facts,
};
use planaria_sdk::{AccountId32, chain::calls, keys::KeyFile, units::Amount};
use serde::Serialize;
use std::path::PathBuf;

pub async fn run(context: &Context, command: AccountCommand) -> anyhow::Result<()> {
	match command {
		AccountCommand::Show { address } => show(context, address).await,
		AccountCommand::Transfer { to, amount } => transfer(context, to, amount).await,
		AccountCommand::New { output } => new(context, output),
		AccountCommand::Address => address(context),
	}
}

/// An account's balance.
#[derive(Debug, Serialize)]
struct Shown {
	address: String,
	free: String,
	reserved: String,
	frozen: String,
	nonce: u32,
}

async fn show(context: &Context, address: Option<AccountId32>) -> anyhow::Result<()> {
	let account = context.account_or(address)?;
	let balances = context.view().await?.balances(&account).await?;
	let document = Shown {
		address: account.to_string(),
		free: balances.free.to_string(),
		reserved: balances.reserved.to_string(),
		frozen: balances.frozen.to_string(),
		nonce: balances.nonce,
	};
	context.printer.print(&document, || {
		facts(&[
			("address", account.to_string()),
			("free", Amount(balances.free).to_string()),
			("held", format!("{} (collateral and deposits)", Amount(balances.reserved))),
			("transactions", balances.nonce.to_string()),
		])
	})
}

async fn transfer(context: &Context, to: AccountId32, amount: Amount) -> anyhow::Result<()> {
	let secret = context.secret()?;
	let chain = context.chain().await?;
	let call = calls::transfer(&to, amount.0);
	let included = context.submit(chain, secret, &call).await?;
	context.printer.print(&Receipt::new(&call, &included), || {
		format!("{amount} sent to {to} in block {}", included.block.number)
	})
}

fn new(context: &Context, output: Option<PathBuf>) -> anyhow::Result<()> {
	let key = KeyFile::generate()?;
	let Some(path) = output else {
		return context.printer.print(&key, || {
			facts(&[
				("address", key.ss58_address.clone()),
				("words", key.secret_phrase.clone()),
				(
					"",
					"Whoever knows the words controls the account. Nobody can recover them.".into(),
				),
			])
		});
	};
	key.write(&path)?;
	#[derive(Serialize)]
	struct Written {
		address: String,
		path: PathBuf,
	}
	let document = Written { address: key.ss58_address, path };
	context.printer.print(&document, || {
		facts(&[
			("address", document.address.clone()),
			("written to", document.path.display().to_string()),
			("", "Keep a copy of the file: nobody can recover it.".into()),
		])
	})
}

fn address(context: &Context) -> anyhow::Result<()> {
	let account = context.secret()?.account();
	#[derive(Serialize)]
	struct Address {
		address: String,
	}
	let document = Address { address: account.to_string() };
	context.printer.print(&document, || document.address.clone())
}
