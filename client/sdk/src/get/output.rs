// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Where a file is written.

use super::GetError;
use std::{
	fmt, io,
	path::{Path, PathBuf},
};
use tempfile::{Builder, TempPath};
use tokio::{
	fs::File,
	io::{AsyncWrite, AsyncWriteExt},
	task::spawn_blocking,
};

/// Where a file is written.
pub enum Destination {
	/// A file. It appears when it is complete and on disk; until then there is a temporary one
	/// beside it, which is removed when anything goes wrong.
	File {
		/// Its path.
		path: PathBuf,
		/// Whether it may take the place of an existing one.
		overwrite: bool,
	},
	/// A stream: verified bytes in order. When anything goes wrong it ends early.
	Stream(Box<dyn AsyncWrite + Send + Unpin>),
}

impl fmt::Debug for Destination {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		match self {
			Self::File { path, overwrite } => {
				f.debug_struct("File").field("path", path).field("overwrite", overwrite).finish()
			},
			Self::Stream(_) => f.write_str("Stream"),
		}
	}
}

impl Destination {
	/// Whether it can be written, as far as that can be said without writing: fails early where the
	/// file exists.
	pub fn check(&self) -> Result<(), GetError> {
		match self {
			Self::File { path, .. } if path.is_dir() => {
				let error = io::Error::from(io::ErrorKind::IsADirectory);
				Err(GetError::Unwritable { path: path.clone(), error })
			},
			// A device or pipe would be replaced by a file, not written to.
			Self::File { path, .. } if path.exists() && !path.is_file() => {
				let error = io::Error::new(
					io::ErrorKind::InvalidInput,
					"not a regular file; write to - and redirect it",
				);
				Err(GetError::Unwritable { path: path.clone(), error })
			},
			Self::File { path, overwrite: false } if path.exists() => {
				Err(GetError::Exists(path.clone()))
			},
			_ => Ok(()),
		}
	}
}

/// A destination that is being written.
pub struct Output(To);

enum To {
	File { file: File, temporary: TempPath, path: PathBuf, overwrite: bool },
	Stream(Box<dyn AsyncWrite + Send + Unpin>),
}

impl fmt::Debug for Output {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		f.debug_struct("Output").finish_non_exhaustive()
	}
}

impl Output {
	/// Begins to write.
	pub async fn open(destination: Destination) -> Result<Self, GetError> {
		let (path, overwrite) = match destination {
			Destination::Stream(stream) => return Ok(Self(To::Stream(stream))),
			Destination::File { path, overwrite } => (path, overwrite),
		};
		let (file, temporary) = {
			let path = path.clone();
			blocking(move || create(&path)).await?
		};
		Ok(Self(To::File { file: File::from_std(file), temporary, path, overwrite }))
	}

	/// Writes what comes next.
	pub async fn write(&mut self, bytes: &[u8]) -> Result<(), GetError> {
		match &mut self.0 {
			To::File { file, path, .. } => {
				let path = path.clone();
				file.write_all(bytes).await.map_err(|e| unwritable(&path, e))
			},
			To::Stream(stream) => {
				stream.write_all(bytes).await.map_err(|e| unwritable(Path::new("-"), e))
			},
		}
	}

	/// Makes everything durable, then visible.
	pub async fn finish(self) -> Result<(), GetError> {
		match self.0 {
			To::Stream(mut stream) => {
				stream.flush().await.map_err(|e| unwritable(Path::new("-"), e))
			},
			To::File { mut file, temporary, path, overwrite } => {
				let error = |error| unwritable(&path, error);
				file.flush().await.map_err(error)?;
				file.sync_all().await.map_err(error)?;
				drop(file);
				blocking(move || reveal(temporary, &path, overwrite)).await
			},
		}
	}
}

fn unwritable(path: &Path, error: io::Error) -> GetError {
	GetError::Unwritable { path: path.into(), error }
}

async fn blocking<R: Send + 'static>(
	task: impl FnOnce() -> Result<R, GetError> + Send + 'static,
) -> Result<R, GetError> {
	spawn_blocking(task).await.expect("writing does not panic; qed")
}

/// A new file beside `path`.
fn create(path: &Path) -> Result<(std::fs::File, TempPath), GetError> {
	let mut builder = Builder::new();
	builder.prefix(".planaria-").suffix(".part");
	#[cfg(unix)]
	{
		use std::os::unix::fs::PermissionsExt;
		// The process's umask applies.
		builder.permissions(std::fs::Permissions::from_mode(0o666));
	}
	let file = builder.tempfile_in(directory(path)).map_err(|error| unwritable(path, error))?;
	Ok(file.into_parts())
}

fn directory(path: &Path) -> &Path {
	path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Gives the finished file its name.
fn reveal(temporary: TempPath, path: &Path, overwrite: bool) -> Result<(), GetError> {
	let renamed = if overwrite {
		temporary.persist(path)
	} else {
		// Fails where a file of this name has appeared meanwhile.
		temporary.persist_noclobber(path)
	};
	renamed.map_err(|error| match error.error.kind() {
		io::ErrorKind::AlreadyExists => GetError::Exists(path.into()),
		_ => unwritable(path, error.error),
	})?;
	// The name is durable when its directory is.
	let synced = std::fs::File::open(directory(path)).and_then(|directory| directory.sync_all());
	if let Err(error) = synced {
		tracing::warn!(%error, "the directory cannot be synced");
	}
	Ok(())
}

#[cfg(test)]
mod tests {
	use super::*;
	use std::fs;

	#[tokio::test]
	async fn a_file_appears_only_when_it_is_finished() {
		let dir = tempfile::tempdir().expect("a directory");
		let path = dir.path().join("out");
		let to = |overwrite| Destination::File { path: path.clone(), overwrite };
		let count = || fs::read_dir(dir.path()).expect("a directory").count();

		let mut output = Output::open(to(false)).await.expect("open");
		output.write(b"half").await.expect("written");
		assert!(!path.exists() && count() == 1);
		drop(output);
		assert_eq!(count(), 0);

		let mut output = Output::open(to(false)).await.expect("open");
		output.write(b"whole").await.expect("written");
		output.finish().await.expect("finished");
		assert_eq!(fs::read(&path).expect("there"), b"whole");
		assert_eq!(count(), 1);

		assert!(matches!(to(false).check(), Err(GetError::Exists(_))));
		// One that appears while the other is written is not overwritten either.
		let output = Output::open(to(false)).await.expect("open");
		assert!(matches!(output.finish().await, Err(GetError::Exists(_))));
		assert_eq!(fs::read(&path).expect("there"), b"whole");

		let mut output = Output::open(to(true)).await.expect("open");
		output.write(b"new").await.expect("written");
		output.finish().await.expect("finished");
		assert_eq!(fs::read(&path).expect("there"), b"new");
		assert_eq!(count(), 1);
	}

	#[tokio::test]
	async fn a_place_that_cannot_be_written_is_said_early() {
		let nowhere = Destination::File { path: "/no/such/dir/out".into(), overwrite: false };
		assert!(matches!(Output::open(nowhere).await, Err(GetError::Unwritable { .. })));
		let directory = Destination::File { path: "/".into(), overwrite: true };
		assert!(matches!(directory.check(), Err(GetError::Unwritable { .. })));
	}
}
