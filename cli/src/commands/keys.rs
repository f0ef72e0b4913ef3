// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

use crate::{
	args::{EncryptionCommand, KeysCommand},
	context::Context,
	encryption,
	output::facts,
};
use serde::Serialize;
use std::path::PathBuf;

pub fn run(context: &Context, command: KeysCommand) -> anyhow::Result<()> {
	match command {
		KeysCommand::Encryption(EncryptionCommand::Generate { output }) => {
			generate(context, output)
		},
	}
}

fn generate(context: &Context, output: Option<PathBuf>) -> anyhow::Result<()> {
	let path = output.map_or_else(encryption::default_path, Ok)?;
	encryption::generate(&path)?;
	#[derive(Serialize)]
	struct Written {
		path: PathBuf,
	}
	let document = Written { path };
	context.printer.print(&document, || {
		facts(&[
			("written to", document.path.display().to_string()),
			("", "Keep a copy in another place: without it nobody can read your files.".into()),
		])
	})
}
