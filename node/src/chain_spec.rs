// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! The chains a node knows by name. Any other is read from a file.

use planaria_runtime::{
	WASM_BINARY,
	configs::system::SS58Prefix,
	currency::{DECIMALS, SYMBOL},
};
use sc_service::{ChainType, GenericChainSpec, Properties};
use serde_json::json;
use sp_genesis_builder::{DEV_RUNTIME_PRESET, LOCAL_TESTNET_RUNTIME_PRESET};
use std::path::PathBuf;

/// A chain's name, genesis and first peers.
pub type ChainSpec = GenericChainSpec;

/// The chain that `--chain` calls `id`.
pub fn load(id: &str) -> Result<ChainSpec, String> {
	match id {
		"dev" => named("Planaria Development", "planaria_dev", ChainType::Development),
		"local" => named("Planaria Local", "planaria_local", ChainType::Local),
		"" => Err("which chain? Give --dev, --chain local, or --chain FILE with a chain spec. \
			There is no public network yet"
			.into()),
		path if PathBuf::from(path).is_file() => ChainSpec::from_json_file(PathBuf::from(path)),
		other => Err(format!("`{other}` is neither dev, nor local, nor a file with a chain spec")),
	}
}

/// One of the runtime's own presets as a chain.
fn named(name: &str, id: &str, kind: ChainType) -> Result<ChainSpec, String> {
	let code = WASM_BINARY.ok_or(
		"this node was built without its runtime (SKIP_WASM_BUILD): it can only run a chain from a \
		 file",
	)?;
	let preset = match kind {
		ChainType::Development => DEV_RUNTIME_PRESET,
		_ => LOCAL_TESTNET_RUNTIME_PRESET,
	};
	Ok(ChainSpec::builder(code, None)
		.with_name(name)
		.with_id(id)
		.with_chain_type(kind)
		.with_protocol_id("plan")
		.with_properties(properties())
		.with_genesis_config_preset_name(preset)
		.build())
}

/// What wallets show.
fn properties() -> Properties {
	Properties::from_iter([
		("tokenSymbol".into(), json!(SYMBOL)),
		("tokenDecimals".into(), json!(DECIMALS)),
		("ss58Format".into(), json!(SS58Prefix::get())),
	])
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn says_what_it_does_not_know() {
		assert!(load("").is_err_and(|error| error.contains("--dev")));
		assert!(load("main").is_err_and(|error| error.contains("`main`")));
	}
}
