// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Opens the store, and remembers which one it was.
//!
//! A store whose file system is not mounted looks like a new one. A miner that started on that would
//! restore everything it holds onto the file system below. So a file beside the chain's data says
//! which store there was, and only that one is opened, wherever it is now.

use super::MinerError;
use planaria_durable::{self as durable, Mode};
use planaria_store::{DiskOptions, DiskStore, OpenError};
use std::{
	fs, io,
	path::{Path, PathBuf},
};

/// The file's name.
const FILE: &str = "store.known";

/// The store that was opened last.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Known {
	id: [u8; 16],
	/// For people.
	path: String,
}

/// Opens the store in `root`; one that was not there before only if it is to be a `new` one. The
/// chain's data is in `base_path`.
pub fn open(
	root: &Path,
	options: DiskOptions,
	new: bool,
	base_path: &Path,
) -> Result<DiskStore, MinerError> {
	let file = base_path.join(FILE);
	let failed = |source| MinerError::Known { path: file.clone(), source };
	let known = if new { None } else { read(&file).map_err(failed)? };
	let options = DiskOptions { known: known.as_ref().map(|known| known.id), ..options };
	let store = DiskStore::open(root, options).map_err(|error| match (error, &known) {
		(error @ (OpenError::NoStore { .. } | OpenError::AnotherStore { .. }), Some(known)) => {
			MinerError::NotKnown { error, was: known.path.clone() }
		},
		(error, _) => MinerError::Store(error),
	})?;
	let path: PathBuf = std::path::absolute(root).unwrap_or_else(|_| root.to_owned());
	let now = Known { id: store.id(), path: path.display().to_string() };
	if known.as_ref() != Some(&now) {
		write(base_path, &file, &now).map_err(failed)?;
	}
	Ok(store)
}

fn read(file: &Path) -> io::Result<Option<Known>> {
	let text = match fs::read_to_string(file) {
		Ok(text) => text,
		Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
		Err(error) => return Err(error),
	};
	match parse(&text) {
		Some(known) => Ok(Some(known)),
		None => Err(io::Error::other("it is damaged; --new-store writes it anew")),
	}
}

fn parse(text: &str) -> Option<Known> {
	let (id, path) = text.trim_end().split_once('\n')?;
	let mut known = Known { id: [0; 16], path: path.strip_prefix("path ")?.to_owned() };
	hex::decode_to_slice(id.strip_prefix("id ")?, &mut known.id).ok()?;
	Some(known)
}

fn write(directory: &Path, file: &Path, known: &Known) -> io::Result<()> {
	fs::create_dir_all(directory)?;
	let text = format!("id {}\npath {}\n", hex::encode(known.id), known.path);
	durable::replace(file, text.as_bytes(), Mode::Plain)
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn only_the_store_that_was_there_is_opened() {
		let directory = tempfile::tempdir().expect("a directory");
		let base = directory.path().join("chain");
		let (root, moved) = (directory.path().join("store"), directory.path().join("moved"));
		let open = |root: &Path, rebuild: bool, new: bool| {
			let options = DiskOptions { disk_reserve: 0, rebuild, ..DiskOptions::new(1 << 20) };
			super::open(root, options, new, &base).map(|store| store.id())
		};
		let id = open(&root, false, false).expect("made");
		assert_eq!(open(&root, false, false).expect("opened"), id);

		// Its file system is not mounted: there is an empty directory, or none.
		fs::rename(&root, &moved).expect("moved");
		for made in [false, true] {
			if made {
				fs::create_dir(&root).expect("made");
			}
			for rebuild in [false, true] {
				let error = open(&root, rebuild, false).expect_err("not there").to_string();
				assert!(error.contains("mounted?") && error.contains("--new-store"), "{error}");
				assert!(error.contains(&root.display().to_string()), "{error}");
			}
		}
		assert_eq!(fs::read_dir(&root).expect("there").count(), 0);
		// It is found where it is now, and expected there from now on.
		assert_eq!(open(&moved, false, false).expect("opened"), id);
		let error = open(&root, false, false).expect_err("not there").to_string();
		assert!(error.contains(&moved.display().to_string()), "{error}");

		// Another one is taken only where that is wanted, and then the first is another.
		let other = open(&root, false, true).expect("made");
		assert_ne!(other, id);
		assert_eq!(open(&root, false, false).expect("opened"), other);
		let error = open(&moved, false, false).expect_err("another").to_string();
		assert!(error.contains("another fragment store"), "{error}");

		fs::write(base.join(FILE), "id 12\n").expect("written");
		assert!(open(&root, false, false).expect_err("damaged").to_string().contains(FILE));
		assert_eq!(open(&root, false, true).expect("opened"), other);
		assert_eq!(open(&root, false, false).expect("opened"), other);
	}
}
