// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! What answers with wrong bytes in a miner's place.

use crate::{Network, until};
use anyhow::{Context, Result, ensure};
use codec::{DecodeAll, Encode};
use iroh::{
	Endpoint, RelayMode, SecretKey,
	endpoint::{Connection, RecvStream, SendStream, presets},
};
use planaria_erasure::{Coder, EncodedSegment, commit};
use planaria_primitives::{FileSpec, FragmentHash};
use planaria_transfer::{
	ALPN, VERSION,
	protocol::{GetAnswer, Hello, Request},
};
use std::{
	fs,
	path::{Path, PathBuf},
	sync::{
		Arc,
		atomic::{AtomicUsize, Ordering::SeqCst},
	},
};

/// Answers under the key and at the address of a miner that does not run. For fragments of one
/// file it gives the right hash, length and sidecar, and then other bytes.
#[derive(Debug)]
pub struct Liar {
	lies: Arc<AtomicUsize>,
	endpoint: Endpoint,
	runtime: tokio::runtime::Handle,
}

/// What it pretends to have: each segment's right hashes and sidecars.
struct File {
	len: Vec<u32>,
	fragments: Vec<Vec<(FragmentHash, planaria_primitives::Sidecar)>>,
}

impl Liar {
	/// Takes a miner's place. `content` is the file's.
	pub fn in_place_of(network: &Network, miner: u32, file: &str, content: &[u8]) -> Result<Self> {
		ensure!(!network.runs(miner), "miner {miner} runs");
		let key = find(&network.data_of(miner), "transfer.key")?.context("the miner has a key")?;
		let mut secret = [0; 32];
		hex::decode_to_slice(fs::read_to_string(key)?.trim(), &mut secret)?;
		let address = network.miner(miner)?.endpoint_addrs.first().cloned();
		let address = address.context("the miner has an address")?;
		let coding = network.file(file)?.coding;
		let file = Arc::new(File::new(&FileSpec::new(content.len() as u64, coding)?, content)?);
		let genesis = network.chain_at(crate::Node::Validator(0))?.genesis();
		let runtime = network.runtime.handle().clone();
		let endpoint = runtime.block_on(async {
			anyhow::Ok(
				Endpoint::builder(presets::Minimal)
					.secret_key(SecretKey::from_bytes(&secret))
					.alpns(vec![ALPN.to_vec()])
					.relay_mode(RelayMode::Disabled)
					.clear_ip_transports()
					.bind_addr(address.as_str())?
					.bind()
					.await?,
			)
		})?;
		let lies = Arc::new(AtomicUsize::new(0));
		let (accepting, counted) = (endpoint.clone(), lies.clone());
		runtime.spawn(async move {
			while let Some(incoming) = accepting.accept().await {
				let (file, lies) = (file.clone(), counted.clone());
				tokio::spawn(async move {
					if let Ok(connection) = incoming.await {
						// A peer that goes away is not this one's concern.
						let _ = serve(connection, genesis, file, lies).await;
					}
				});
			}
		});
		Ok(Self { lies, endpoint, runtime })
	}

	/// Waits until it was believed to have a fragment, and asked for its bytes.
	pub fn until_asked(&self) -> Result<()> {
		until("the liar was asked", || Ok(self.lies.load(SeqCst) > 0))
	}
}

impl Drop for Liar {
	fn drop(&mut self) {
		self.runtime.block_on(self.endpoint.close());
	}
}

impl File {
	fn new(spec: &FileSpec, content: &[u8]) -> Result<Self> {
		let commitment = commit(spec, content)?;
		let coder = Coder::new(*spec);
		let mut file = Self { len: Vec::new(), fragments: Vec::new() };
		let mut rest = content;
		for number in 0..spec.segments() {
			let (bytes, more) = rest.split_at(usize::try_from(spec.segment_len(number))?);
			rest = more;
			let segment: EncodedSegment = coder.encode(number, bytes)?;
			let fragments = (0..spec.fragments())
				.zip(segment.hashes())
				.map(|(index, hash)| anyhow::Ok((*hash, commitment.sidecar(&segment, index)?)));
			file.fragments.push(fragments.collect::<Result<_>>()?);
			file.len.push(spec.fragment_len(number));
		}
		Ok(file)
	}
}

async fn serve(
	connection: Connection,
	genesis: [u8; 32],
	file: Arc<File>,
	lies: Arc<AtomicUsize>,
) -> Result<()> {
	let (mut send, mut recv) = connection.accept_bi().await?;
	let _: Hello = read(&mut recv).await?;
	write(&mut send, &Hello { version: VERSION, genesis }).await?;
	loop {
		let (mut send, mut recv) = connection.accept_bi().await?;
		let Ok(Request::Get(request)) = read(&mut recv).await else { continue };
		let (number, index) = (request.name.segment, request.name.index);
		let known = usize::try_from(number).ok().and_then(|number| {
			let fragment = file.fragments.get(number)?.get(usize::from(index))?;
			Some((fragment, *file.len.get(number)?))
		});
		let Some(((hash, sidecar), len)) = known else {
			write(&mut send, &GetAnswer::NotFound).await?;
			continue;
		};
		let found = GetAnswer::Found { hash: *hash, len, sidecar: sidecar.clone() };
		write(&mut send, &found).await?;
		lies.fetch_add(1, SeqCst);
		// The peer hangs up at the first wrong byte.
		let _ = send.write_all(&vec![0x5A; len as usize]).await;
	}
}

async fn read<T: DecodeAll>(recv: &mut RecvStream) -> Result<T> {
	let mut len = [0; 4];
	recv.read_exact(&mut len).await?;
	let mut bytes = vec![0; u32::from_le_bytes(len) as usize];
	recv.read_exact(&mut bytes).await?;
	Ok(T::decode_all(&mut &bytes[..])?)
}

async fn write(send: &mut SendStream, message: &impl Encode) -> Result<()> {
	let bytes = message.encode();
	send.write_all(&u32::try_from(bytes.len())?.to_le_bytes()).await?;
	send.write_all(&bytes).await?;
	Ok(())
}

/// The first file of this name below a directory.
fn find(directory: &Path, name: &str) -> Result<Option<PathBuf>> {
	for entry in fs::read_dir(directory)? {
		let path = entry?.path();
		if path.is_dir() {
			if let Some(found) = find(&path, name)? {
				return Ok(Some(found));
			}
		} else if path.file_name().is_some_and(|file| file == name) {
			return Ok(Some(path));
		}
	}
	Ok(None)
}
