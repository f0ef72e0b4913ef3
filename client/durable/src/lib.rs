// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Small files that are there as a whole or not at all, and that a power cut does not take back.
//!
//! [`create`] writes a file that is not there yet, [`replace`] one that may be. The bytes go to a
//! file beside it, of another name, which gets the right one when it is on disk. If that fails, what
//! was there before is there still and nothing is left beside it; only a crash leaves a file
//! `.planaria-….new` behind, which may be removed. The directory must be there.

use std::{
	fs::{File, OpenOptions},
	io::{self, Write},
	path::Path,
};
use tempfile::{Builder, NamedTempFile};

/// Who may read a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
	/// Its owner alone.
	Secret,
	/// Whoever may read what this process creates.
	Plain,
}

/// Writes a file of this name, which must be free: else it fails with
/// [`AlreadyExists`](io::ErrorKind::AlreadyExists).
pub fn create(path: &Path, bytes: &[u8], mode: Mode) -> io::Result<()> {
	beside(path, bytes, mode)?.persist_noclobber(path)?;
	sync(directory(path))
}

/// Writes a file of this name, instead of the one that may be there.
pub fn replace(path: &Path, bytes: &[u8], mode: Mode) -> io::Result<()> {
	beside(path, bytes, mode)?.persist(path)?;
	sync(directory(path))
}

/// A synced file beside `path`, which goes away unless it is renamed.
fn beside(path: &Path, bytes: &[u8], mode: Mode) -> io::Result<NamedTempFile<File>> {
	let mut options = OpenOptions::new();
	options.write(true).create_new(true);
	#[cfg(unix)]
	{
		// The process's umask applies.
		let bits = match mode {
			Mode::Secret => 0o600,
			Mode::Plain => 0o666,
		};
		std::os::unix::fs::OpenOptionsExt::mode(&mut options, bits);
	}
	#[cfg(not(unix))]
	let _ = mode;
	// Opened here: where tempfile opens a file, its errors name a path that nobody has asked for.
	let mut new = Builder::new()
		.prefix(".planaria-")
		.suffix(".new")
		.make_in(directory(path), |name| options.open(name))?;
	let file = new.as_file_mut();
	file.write_all(bytes)?;
	file.sync_all()?;
	Ok(new)
}

fn directory(path: &Path) -> &Path {
	path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// A name is on disk when its directory is.
#[cfg(unix)]
fn sync(directory: &Path) -> io::Result<()> {
	File::open(directory)?.sync_all()
}

#[cfg(not(unix))]
fn sync(_: &Path) -> io::Result<()> {
	Ok(())
}

#[cfg(test)]
mod tests {
	use super::*;
	use std::{fs, io::ErrorKind};

	fn names(directory: &Path) -> Vec<String> {
		let entries = fs::read_dir(directory).expect("a directory");
		let mut names: Vec<_> = entries
			.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
			.collect();
		names.sort();
		names
	}

	#[test]
	fn a_file_has_what_was_written_and_nothing_is_beside_it() {
		let directory = tempfile::tempdir().expect("a directory");
		let path = directory.path().join("file");
		create(&path, b"one", Mode::Plain).expect("written");
		assert_eq!(fs::read(&path).expect("there"), b"one");
		replace(&path, b"another", Mode::Plain).expect("written");
		assert_eq!(fs::read(&path).expect("there"), b"another");
		assert_eq!(names(directory.path()), ["file"]);
		let other = directory.path().join("other");
		replace(&other, b"", Mode::Secret).expect("written");
		assert_eq!(fs::read(&other).expect("there"), b"");
		assert_eq!(names(directory.path()), ["file", "other"]);
	}

	#[test]
	fn what_is_there_is_not_created_again() {
		let directory = tempfile::tempdir().expect("a directory");
		let path = directory.path().join("file");
		create(&path, b"first", Mode::Plain).expect("written");
		let error = create(&path, b"second", Mode::Secret).expect_err("it is there");
		assert_eq!(error.kind(), ErrorKind::AlreadyExists);
		assert_eq!(fs::read(&path).expect("there"), b"first");
		assert_eq!(names(directory.path()), ["file"]);
	}

	#[test]
	fn a_failure_leaves_nothing_behind() {
		let directory = tempfile::tempdir().expect("a directory");
		let path = directory.path().join("taken");
		fs::create_dir(&path).expect("made");
		for write in [create, replace] {
			assert!(write(&path, b"bytes", Mode::Plain).is_err());
			assert_eq!(names(directory.path()), ["taken"]);
		}
	}

	#[test]
	fn an_error_is_the_one_of_the_system() {
		let directory = tempfile::tempdir().expect("a directory");
		let path = directory.path().join("nowhere/file");
		let expected = File::create(&path).expect_err("there is no directory");
		for write in [create, replace] {
			let error = write(&path, b"bytes", Mode::Plain).expect_err("there is no directory");
			assert_eq!(error.kind(), ErrorKind::NotFound);
			assert_eq!(error.to_string(), expected.to_string());
		}
		let taken = directory.path().join("taken");
		create(&taken, b"bytes", Mode::Plain).expect("written");
		let expected = File::create_new(&taken).expect_err("it is there");
		let error = create(&taken, b"bytes", Mode::Plain).expect_err("it is there");
		assert_eq!(error.to_string(), expected.to_string());
	}

	#[test]
	fn a_bare_name_is_in_this_directory() {
		assert_eq!(directory(Path::new("file")), Path::new("."));
		assert_eq!(directory(Path::new("a/file")), Path::new("a"));
		assert_eq!(directory(Path::new("/file")), Path::new("/"));
	}

	#[cfg(unix)]
	#[test]
	fn a_secret_is_its_owners_and_the_rest_as_everything_else() {
		use std::os::unix::fs::PermissionsExt;
		let directory = tempfile::tempdir().expect("a directory");
		let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
		let usual = directory.path().join("usual");
		fs::write(&usual, b"").expect("written");
		let path = directory.path().join("file");
		create(&path, b"bytes", Mode::Plain).expect("written");
		assert_eq!(mode(&path), mode(&usual));
		replace(&path, b"secret", Mode::Secret).expect("written");
		assert_eq!(mode(&path), 0o600);
		replace(&path, b"bytes", Mode::Plain).expect("written");
		assert_eq!(mode(&path), mode(&usual));
		let secret = directory.path().join("secret");
		create(&secret, b"secret", Mode::Secret).expect("written");
		assert_eq!(mode(&secret), 0o600);
	}

	#[cfg(unix)]
	#[test]
	fn a_link_that_leads_nowhere_takes_the_name() {
		let directory = tempfile::tempdir().expect("a directory");
		let path = directory.path().join("link");
		std::os::unix::fs::symlink(directory.path().join("nowhere"), &path).expect("linked");
		let error = create(&path, b"bytes", Mode::Plain).expect_err("it is there");
		assert_eq!(error.kind(), ErrorKind::AlreadyExists);
		replace(&path, b"bytes", Mode::Plain).expect("written");
		assert_eq!(fs::read(&path).expect("there"), b"bytes");
		assert_eq!(names(directory.path()), ["link"]);
	}
}
