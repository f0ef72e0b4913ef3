// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! How a gateway is set up.

use planaria_sdk::{
	Preferences,
	primitives::{CodingParams, MinerId, PlacementRule},
	units::Size,
};
use serde::{Deserialize, Deserializer, de::Error as _};
use std::{
	collections::{BTreeMap, BTreeSet},
	fmt, io,
	net::SocketAddr,
	path::{Path, PathBuf},
	str::FromStr,
};

/// How a gateway is set up. In a file (TOML) every field may be left out.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
	/// Where the catalog, the keys, the spool and the cache are.
	pub data: PathBuf,
	/// Where S3 is spoken.
	pub listen: SocketAddr,
	/// Where files are read without S3, and where the gateway says how it is.
	pub http: SocketAddr,
	/// The name of the region, which clients sign.
	pub region: String,
	/// The domain whose subdomains are buckets, beside paths.
	pub domain: Option<String>,
	/// How objects are coded.
	#[serde(deserialize_with = "text")]
	pub coding: CodingParams,
	/// The most bytes of objects that the network does not have yet.
	#[serde(deserialize_with = "size")]
	pub spool: u64,
	/// The most bytes of files that the network has.
	#[serde(deserialize_with = "size")]
	pub cache: u64,
	/// The bytes that stay free on the disk.
	#[serde(deserialize_with = "size")]
	pub keep_free: u64,
	/// Objects with fewer bytes share a file on chain with others.
	#[serde(deserialize_with = "size")]
	pub pack_below: u64,
	/// The most bytes of objects in one such file.
	#[serde(deserialize_with = "size")]
	pub pack_size: u64,
	/// For how many seconds an object waits for others to share a file with.
	pub pack_after: u64,
	/// How many objects are stored at once.
	pub storing_at_once: usize,
	/// How many segments are fetched at once, for all downloads together.
	pub fetching_at_once: usize,
	/// How many requests are answered at once at each address; more wait.
	pub requests_at_once: usize,
	/// Other gateways, whose caches are asked before miners, in this order.
	pub peers: Vec<PeerUrl>,
	/// An object store that this gateway shares with others.
	pub shared: Option<Shared>,
	/// Which miners get the fragments.
	pub placement: Placement,
	/// For how long miners that fail get nothing.
	pub cooldown: Cooldown,
}

/// An object store that gateways share. How requests to it are signed is in the environment
/// (`AWS_ACCESS_KEY_ID` and so on).
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shared {
	/// `s3://bucket` or `s3://bucket/prefix`.
	pub url: String,
	/// Where it is, if it is not AWS.
	pub endpoint: Option<String>,
	/// Its region.
	pub region: Option<String>,
	/// What this gateway is called in it. With a name everything that it acknowledges is there a
	/// second time; without one only what was read from the network is shared.
	pub name: Option<String>,
	/// A file with the key that everything but that is sealed with; the same for all gateways. It is
	/// made if there is none.
	pub key: Option<PathBuf>,
}

/// For how long miners that fail get nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Cooldown {
	/// After so many failures without a success between them.
	pub failures: u32,
	/// For so many seconds the first time; each time twice as long as the time before.
	pub first: u64,
	/// The most seconds.
	pub longest: u64,
}

impl Default for Cooldown {
	fn default() -> Self {
		Self { failures: 3, first: 600, longest: 86_400 }
	}
}

/// Where another gateway speaks plain HTTP: `http://host[:port][/path]`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PeerUrl(String);

impl PeerUrl {
	/// The URL, without a slash at its end.
	pub fn as_str(&self) -> &str {
		&self.0
	}
}

impl fmt::Display for PeerUrl {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		f.write_str(&self.0)
	}
}

impl FromStr for PeerUrl {
	type Err = PeerUrlError;
	fn from_str(text: &str) -> Result<Self, PeerUrlError> {
		let uri: http::Uri = text.parse().map_err(|_| PeerUrlError)?;
		let named = uri.authority().is_some_and(|authority| {
			!authority.host().is_empty() && !authority.as_str().contains('@')
		});
		let plain = uri.scheme_str() == Some("http") && uri.query().is_none();
		if !named || !plain || text.contains('#') {
			return Err(PeerUrlError);
		}
		Ok(Self(text.trim_end_matches('/').into()))
	}
}

impl<'de> Deserialize<'de> for PeerUrl {
	fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
		text(from)
	}
}

/// The text does not say where a gateway is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("expected where a gateway speaks plain HTTP: http://host[:port][/path]")]
pub struct PeerUrlError;

/// Which miners get the fragments.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Placement {
	/// These first, as long as they have room.
	pub prefer: BTreeSet<u32>,
	/// Never these.
	pub avoid: BTreeSet<u32>,
	/// Only these, if any are named.
	pub only: BTreeSet<u32>,
	/// Whether they are chosen, or candidates that the chain draws; drawn unless the network is
	/// small where it is not said.
	pub rule: Option<PlacementRule>,
	/// Whether a miner is given the more, the more room it has and the better it has proven to be.
	pub weigh: bool,
	/// Whether the fragments of a segment go to different operators and networks where possible.
	pub spread: bool,
}

impl Default for Placement {
	fn default() -> Self {
		let (prefer, avoid, only) = Default::default();
		Self { prefer, avoid, only, rule: None, weigh: true, spread: true }
	}
}

impl Placement {
	/// The same for the library.
	pub fn preferences(&self) -> Preferences {
		let miners = |ids: &BTreeSet<u32>| ids.iter().copied().map(MinerId).collect();
		let Self { prefer, avoid, only, rule: _, weigh, spread } = self;
		Preferences {
			prefer: miners(prefer),
			avoid: miners(avoid),
			only: miners(only),
			weigh: *weigh,
			spread: *spread,
			quality: BTreeMap::new(),
		}
	}
}

impl Default for Config {
	fn default() -> Self {
		const GIB: u64 = 1 << 30;
		Self {
			data: "gateway".into(),
			listen: ([127, 0, 0, 1], 9000).into(),
			http: ([127, 0, 0, 1], 9001).into(),
			region: "us-east-1".into(),
			domain: None,
			coding: CodingParams::STANDARD,
			spool: 64 * GIB,
			cache: 16 * GIB,
			keep_free: GIB,
			pack_below: 1 << 20,
			pack_size: 64 << 20,
			pack_after: 30,
			storing_at_once: 2,
			fetching_at_once: 3,
			requests_at_once: 256,
			peers: Vec::new(),
			shared: None,
			placement: Placement::default(),
			cooldown: Cooldown::default(),
		}
	}
}

fn text<'de, D: Deserializer<'de>, T: FromStr<Err: std::fmt::Display>>(
	from: D,
) -> Result<T, D::Error> {
	String::deserialize(from)?.parse().map_err(D::Error::custom)
}

fn size<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
	text::<_, Size>(from).map(|size| size.0)
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
	/// The file cannot be read.
	#[error("{path}: {error}")]
	Io {
		/// Which file.
		path: PathBuf,
		/// Why.
		error: io::Error,
	},
	/// The file says something that makes no sense.
	#[error("{path}: {error}")]
	Format {
		/// Which file.
		path: PathBuf,
		/// What.
		error: Box<toml::de::Error>,
	},
}

impl Config {
	/// The configuration in the text of a file.
	pub fn parse(text: &str) -> Result<Self, toml::de::Error> {
		toml::from_str(text)
	}

	/// Reads a file.
	pub fn read(path: &Path) -> Result<Self, ConfigError> {
		let text = std::fs::read_to_string(path)
			.map_err(|error| ConfigError::Io { path: path.into(), error })?;
		Self::parse(&text)
			.map_err(|error| ConfigError::Format { path: path.into(), error: Box::new(error) })
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn a_file_says_what_differs_from_the_defaults() {
		let config: Config = toml::from_str(
			"listen = '0.0.0.0:80'\ncoding = 'lean'\nspool = '2 GiB'\n[placement]\navoid = [3]\n\
			 rule = 'drawn'\nspread = false\n[cooldown]\nfirst = 60",
		)
		.expect("reads");
		assert_eq!((config.listen.port(), config.coding), (80, CodingParams::LEAN));
		assert_eq!((config.spool, config.http), (2 << 30, Config::default().http));
		assert_eq!(config.placement.rule, Some(PlacementRule::Drawn));
		let preferences = config.placement.preferences();
		assert_eq!(preferences.avoid, BTreeSet::from([MinerId(3)]));
		assert_eq!((preferences.weigh, preferences.spread), (true, false));
		assert_eq!(config.shared, None);
		assert_eq!(config.cooldown, Cooldown { first: 60, ..Cooldown::default() });
		assert_eq!(toml::from_str::<Config>("").expect("reads"), Config::default());
		let shared = "[shared]\nurl = 's3://bucket/some'\nname = 'one'\nkey = 'shared.key'";
		let shared = Config::parse(shared).expect("reads").shared.expect("there is one");
		assert_eq!((&shared.url[..], shared.name.as_deref()), ("s3://bucket/some", Some("one")));
		assert!(Config::parse("[shared]\nname = 'one'").is_err());
		let wrong = ["spool = 5", "coding = '0+0'", "unknown = 1", "listen = 'nowhere'"];
		for wrong in wrong.into_iter().chain(["peers = ['ftp://a']", "peers = 'http://a'"]) {
			assert!(toml::from_str::<Config>(wrong).is_err(), "{wrong}");
		}
	}

	#[test]
	fn peers_are_named_by_plain_urls() {
		for (text, expected) in [
			("http://gateway:9001", "http://gateway:9001"),
			("http://[::1]:9001/", "http://[::1]:9001"),
			("http://a.example/behind/", "http://a.example/behind"),
		] {
			assert_eq!(text.parse().map(|url: PeerUrl| url.to_string()), Ok(expected.to_owned()));
		}
		for text in ["", "gateway:9001", "https://a", "http://", "http://a?b", "http://u@a", "/a"] {
			assert_eq!(text.parse::<PeerUrl>(), Err(PeerUrlError), "{text}");
		}
	}
}
