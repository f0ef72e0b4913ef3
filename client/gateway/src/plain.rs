// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Files and the gateway's own state, over plain HTTP. The interface is described in
//! `openapi.json` beside this file, which the gateway serves too.

use crate::{
	catalog::{Content, FragmentState, Life, Measured, Undeleted, now_millis, quality},
	error::Error,
	gateway::Gateway,
	metrics::Levels,
	network::NetworkError,
	peers,
};
use bytes::Bytes;
use futures::{TryStreamExt, stream};
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, StreamBody, combinators::BoxBody};
use hyper::body::Frame;
use planaria_sdk::{GetError, placement::BEST, primitives::FileId};
use planaria_transfer::protocol::GetAnswer;
use serde::Serialize;
use std::{collections::BTreeMap, convert::Infallible, io, ops::Range, sync::Arc};

/// A body.
pub type Body = BoxBody<Bytes, io::Error>;

/// The description of this interface.
pub const OPENAPI: &str = include_str!("openapi.json");

fn full(bytes: impl Into<Bytes>) -> Body {
	Full::new(bytes.into()).map_err(|never: Infallible| match never {}).boxed()
}

fn answer(
	status: StatusCode,
	content_type: &'static str,
	bytes: impl Into<Bytes>,
) -> Response<Body> {
	let mut response = Response::new(full(bytes));
	*response.status_mut() = status;
	let headers = response.headers_mut();
	headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
	response
}

fn json(document: &impl Serialize) -> Response<Body> {
	match serde_json::to_vec_pretty(document) {
		Ok(text) => answer(StatusCode::OK, "application/json", text),
		Err(_) => failure(StatusCode::INTERNAL_SERVER_ERROR, "the answer cannot be written"),
	}
}

fn failure(status: StatusCode, message: &str) -> Response<Body> {
	let text = serde_json::json!({ "error": message }).to_string();
	answer(status, "application/json", text)
}

fn status_of(error: &Error) -> StatusCode {
	match error {
		Error::Network(error) => status_of_network(error),
		Error::InvalidRange => StatusCode::RANGE_NOT_SATISFIABLE,
		Error::NoSuchKey => StatusCode::NOT_FOUND,
		Error::SlowDown | Error::Stopping => StatusCode::SERVICE_UNAVAILABLE,
		_ => StatusCode::INTERNAL_SERVER_ERROR,
	}
}

fn status_of_network(error: &NetworkError) -> StatusCode {
	match error {
		NetworkError::Shared(error) => status_of_network(error),
		NetworkError::Gone | NetworkError::Get(GetError::NotFound(_)) => StatusCode::NOT_FOUND,
		_ => StatusCode::SERVICE_UNAVAILABLE,
	}
}

fn failed(error: &Error) -> Response<Body> {
	match status_of(error) {
		StatusCode::INTERNAL_SERVER_ERROR => {
			tracing::error!(%error, "a request failed");
			failure(StatusCode::INTERNAL_SERVER_ERROR, "the gateway has failed")
		},
		status => failure(status, &error.to_string()),
	}
}

/// How the gateway is.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Status {
	/// The account that orders storage.
	pub operator: String,
	/// How many contents are queued, placing, and active, and their bytes.
	pub contents: BTreeMap<&'static str, Amount>,
	/// How many jobs are not done.
	pub jobs: u64,
	/// What the network does not have yet.
	pub spool: Room,
	/// What was read from the network lately.
	pub cache: Room,
	/// Contents that could not be stored yet, of the oldest jobs.
	pub failing: Vec<Failing>,
	/// Miners that get nothing for a while.
	pub cooling: Vec<Cooling>,
	/// Miners that get less than others with the same room, the worst first.
	pub weak: Vec<Weak>,
	/// How many files the chain does not let the gateway delete.
	pub undeleted: u64,
	/// The first of them.
	pub undeleted_files: Vec<UndeletedFile>,
	/// The other gateways that are asked before miners.
	pub peers: Vec<peers::Shown>,
}

/// A content that could not be stored yet.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Failing {
	/// Its number in the catalog.
	pub content: u64,
	/// How often it was tried.
	pub failures: u32,
	/// What went wrong last.
	pub failure: String,
}

/// A miner in the cooldown pool.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Cooling {
	/// Which.
	pub miner: u32,
	/// For so many seconds more.
	pub seconds: u64,
	/// How often it has failed altogether.
	pub failures: u32,
	/// How often it has been in the pool, less what it was forgiven.
	pub cooldowns: u32,
	/// What it did last.
	pub reason: String,
}

/// A miner that was found to be worse than others.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Weak {
	/// Which.
	pub miner: u32,
	/// How good it is, in thousandths of the best.
	pub quality: u16,
	/// Of a thousand objects, with how many it did its part.
	pub reliability: u16,
	/// How many bytes per second it took; 0 if that is not known.
	pub speed: u64,
}

/// A file that stays on chain though it is to be deleted.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct UndeletedFile {
	/// Its number on chain.
	pub file: u64,
	/// Its id.
	pub id: String,
	/// Since when, in milliseconds since 1970.
	pub since: u64,
	/// What the chain says.
	pub reason: String,
}

/// How much of a list the status shows.
const SHOWN: usize = 100;

/// So many, with so many bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct Amount {
	/// How many.
	pub count: u64,
	/// Their bytes.
	pub bytes: u64,
}

/// How much of something is used.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct Room {
	/// So many bytes.
	pub used: u64,
	/// At most.
	pub most: u64,
}

/// A content of this gateway.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
struct Shown {
	state: Life,
	size: u64,
	file: Option<u64>,
	failures: u32,
	failure: Option<String>,
	/// The fragments, by segment.
	fragments: BTreeMap<u32, Vec<FragmentState>>,
}

impl Gateway {
	/// How the gateway is.
	pub async fn status(&self) -> Result<Status, Error> {
		let now = now_millis();
		let known = self.catalog.read(move |reader| {
			let (undeleted, count) = reader.undeleted(SHOWN)?;
			let failing = reader.failing(SHOWN)?;
			Ok((
				reader.lives()?,
				reader.jobs_len()?,
				reader.cooling(now)?,
				reader.measured()?,
				failing,
				undeleted,
				count,
			))
		});
		let (lives, jobs, cooling, measured, failing, undeleted, undeleted_count) = known.await?;
		let amount = |(state, (count, bytes))| (state, Amount { count, bytes });
		let failing = failing.into_iter();
		let cooling = cooling.into_iter().map(|(miner, conduct)| Cooling {
			miner: miner.0,
			seconds: conduct.until.saturating_sub(now).div_ceil(1000),
			failures: conduct.all_failures,
			cooldowns: conduct.cooldowns,
			reason: conduct.reason,
		});
		let qualities = match self.config.placement.weigh {
			true => quality(&measured),
			false => BTreeMap::new(),
		};
		let weak = measured.iter().filter_map(|(miner, of)| {
			let quality = qualities.get(miner).copied().filter(|quality| *quality < BEST)?;
			let Measured { reliability, speed } = *of;
			Some(Weak { miner: miner.0, quality, reliability, speed })
		});
		let mut weak: Vec<_> = weak.collect();
		weak.sort_by_key(|weak| weak.quality);
		weak.truncate(SHOWN);
		let undeleted = undeleted.into_iter().map(|(file, Undeleted { id, since, reason })| {
			UndeletedFile { file, id: hex::encode(id), since, reason }
		});
		Ok(Status {
			operator: self.network.operator().to_string(),
			contents: lives.into_iter().map(amount).collect(),
			jobs,
			spool: Room { used: self.spool.used(), most: self.spool.limits().most },
			cache: Room { used: self.library.cache().used(), most: self.config.cache },
			failing: failing
				.map(|(content, failures, failure)| Failing { content, failures, failure })
				.collect(),
			cooling: cooling.collect(),
			weak,
			undeleted: undeleted_count,
			undeleted_files: undeleted.collect(),
			peers: self.library.peers().shown(),
		})
	}

	async fn levels(&self) -> Result<Levels, Error> {
		let status = self.status().await?;
		let lives = status.contents.iter();
		Ok(Levels {
			lives: lives.map(|(state, of)| (*state, of.count, of.bytes)).collect(),
			jobs: status.jobs,
			spool: status.spool.used,
			cache: status.cache.used,
			cooling: status.cooling.len() as u64,
			undeleted: status.undeleted,
		})
	}

	/// Answers a request.
	pub async fn plain<B>(self: Arc<Self>, request: Request<B>) -> Response<Body> {
		let response = self.route(&request).await;
		let status = response.status().as_u16().to_string();
		self.metrics.requests.with_label_values(&["http", &status]).inc();
		if request.method() == Method::HEAD {
			let (parts, _) = response.into_parts();
			return Response::from_parts(parts, full(Bytes::new()));
		}
		response
	}

	async fn route<B>(&self, request: &Request<B>) -> Response<Body> {
		if !matches!(*request.method(), Method::GET | Method::HEAD) {
			let mut response = failure(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD");
			response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
			return response;
		}
		match request.uri().path() {
			"/health" => json(&serde_json::json!({ "status": "ok" })),
			"/openapi.json" => answer(StatusCode::OK, "application/json", OPENAPI),
			"/status" => match self.status().await {
				Ok(status) => json(&status),
				Err(error) => failed(&error),
			},
			"/metrics" => match self.levels().await {
				Ok(levels) => {
					let text = self.metrics.text(&levels);
					answer(StatusCode::OK, "text/plain; version=0.0.4", text)
				},
				Err(error) => failed(&error),
			},
			path => match path.strip_prefix("/file/") {
				Some(rest) => self.file(rest, request).await,
				None => failure(StatusCode::NOT_FOUND, "there is nothing here: see /openapi.json"),
			},
		}
	}

	async fn file<B>(&self, path: &str, request: &Request<B>) -> Response<Body> {
		let (id, what) = path.split_once('/').unwrap_or((path, ""));
		let Ok(id) = id.parse::<FileId>() else {
			return failure(StatusCode::BAD_REQUEST, "a file's id has 64 hexadecimal digits");
		};
		let answer = match what.strip_prefix("fragment/") {
			Some(place) => self.fragment(id, place, request.uri().query().unwrap_or("")).await,
			None if what == "status" => self.file_status(id).await,
			None if what.is_empty() => self.file_bytes(id, request).await,
			None => Err(Error::NoSuchKey),
		};
		answer.unwrap_or_else(|error| failed(&error))
	}

	/// A part of a source fragment, for another gateway.
	async fn fragment(
		&self,
		id: FileId,
		place: &str,
		query: &str,
	) -> Result<Response<Body>, Error> {
		let (segment, index) = parse_place(place).ok_or(Error::NoSuchKey)?;
		let given = self.library.give(id, segment, index).await?.ok_or(Error::NoSuchKey)?;
		let (fragment, turn) = (given.fragment, given.turn);
		let range = parse_part(query, fragment.len()).ok_or(Error::InvalidRange)?;
		let (hash, len) = (fragment.hash(), fragment.len());
		let first = peers::frame(&GetAnswer::Found { hash, len, sidecar: given.sidecar });
		let rest = fragment.encode(&range).inspect(move |_| {
			let _held = &turn;
		});
		let pieces = std::iter::once(first).chain(rest);
		let body = stream::iter(pieces.map(|piece| Ok::<_, io::Error>(Frame::data(piece))));
		let mut response = Response::new(BodyExt::boxed(StreamBody::new(body)));
		let octets = HeaderValue::from_static("application/octet-stream");
		response.headers_mut().insert(header::CONTENT_TYPE, octets);
		Ok(response)
	}

	async fn file_status(&self, id: FileId) -> Result<Response<Body>, Error> {
		let contents = self.catalog.read(move |reader| {
			let mut shown = Vec::new();
			for (number, content) in reader.contents_of(&id.0)? {
				let Content { life, size, stored, failures, failure, .. } = content;
				let fragments = reader.fragments(number)?;
				let file = stored.map(|stored| stored.file);
				shown.push(Shown { state: life, size, file, failures, failure, fragments });
			}
			Ok(shown)
		});
		let contents = contents.await?;
		let chain = self.network.files(id).await?;
		if contents.is_empty() && chain.is_empty() {
			return Err(NetworkError::Gone.into());
		}
		Ok(json(&serde_json::json!({ "id": id, "gateway": contents, "chain": chain })))
	}

	async fn file_bytes<B>(
		&self,
		id: FileId,
		request: &Request<B>,
	) -> Result<Response<Body>, Error> {
		let etag = format!("\"{id}\"");
		let same = |name| {
			let value = request.headers().get(name).and_then(|value| value.to_str().ok());
			value.is_some_and(|value| names(value, &etag))
		};
		if same(header::IF_NONE_MATCH) {
			// The id is the content: who has it has the right one.
			let mut response = Response::new(full(Bytes::new()));
			*response.status_mut() = StatusCode::NOT_MODIFIED;
			return Ok(response);
		}
		let size = self.library.size(id).await?;
		let range = request.headers().get(header::RANGE);
		let range = range.filter(|_| {
			request.headers().get(header::IF_RANGE).is_none() || same(header::IF_RANGE)
		});
		let range = match range {
			Some(text) => match parse_range(text.to_str().unwrap_or_default(), size) {
				Ok(range) => range,
				Err(Unsatisfiable) => {
					let mut response = failed(&Error::InvalidRange);
					let whole = HeaderValue::from_str(&format!("bytes */{size}"));
					if let Ok(whole) = whole {
						response.headers_mut().insert(header::CONTENT_RANGE, whole);
					}
					return Ok(response);
				},
			},
			None => None,
		};
		let wanted = range.clone().unwrap_or(0..size);
		let body = if request.method() == Method::HEAD {
			full(Bytes::new())
		} else {
			let body = self.library.file(id, wanted.clone()).await?;
			BodyExt::boxed(StreamBody::new(body.into_stream().map_ok(Frame::data)))
		};
		let mut response = Response::new(body);
		let headers = response.headers_mut();
		let mut set = |name, value: &str| {
			if let Ok(value) = HeaderValue::from_str(value) {
				headers.insert(name, value);
			}
		};
		set(header::CONTENT_TYPE, "application/octet-stream");
		set(header::CONTENT_LENGTH, &(wanted.end - wanted.start).to_string());
		set(header::ACCEPT_RANGES, "bytes");
		set(header::ETAG, &etag);
		set(header::CACHE_CONTROL, "public, max-age=31536000, immutable");
		if let Some(Range { start, end }) = range {
			set(header::CONTENT_RANGE, &format!("bytes {start}-{}/{size}", end - 1));
			*response.status_mut() = StatusCode::PARTIAL_CONTENT;
		}
		Ok(response)
	}
}

/// Whether a list of ETags names this one.
pub fn names(list: &str, etag: &str) -> bool {
	list.split(',').map(str::trim).any(|one| one == "*" || one.trim_start_matches("W/") == etag)
}

/// Which fragment: `<segment>/<index>`.
pub fn parse_place(text: &str) -> Option<(u32, u8)> {
	let (segment, index) = text.split_once('/')?;
	Some((number(segment)?, number(index)?))
}

/// Which of a fragment's `len` bytes: `from=A&below=B`, or all of them.
pub fn parse_part(query: &str, len: u32) -> Option<Range<u32>> {
	let mut range = 0..len;
	for pair in query.split('&').filter(|pair| !pair.is_empty()) {
		match pair.split_once('=')? {
			("from", from) => range.start = number(from)?,
			("below", below) => range.end = number(below)?,
			_ => return None,
		}
	}
	(range.start < range.end && range.end <= len).then_some(range)
}

/// Digits, and nothing else.
fn number<T: std::str::FromStr>(text: &str) -> Option<T> {
	text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// Nothing of a range is there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Unsatisfiable;

/// A single range; what is not understood is as if it were not there, as RFC 9110 has it.
pub fn parse_range(text: &str, size: u64) -> Result<Option<Range<u64>>, Unsatisfiable> {
	match s3s::dto::Range::parse(text) {
		Ok(range) => range.check(size).map(Some).map_err(|_| Unsatisfiable),
		Err(_) => Ok(None),
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn ranges_are_those_of_rfc_9110() {
		assert_eq!(parse_range("bytes=0-9", 5), Ok(Some(0..5)));
		assert_eq!(parse_range("bytes=-2", 5), Ok(Some(3..5)));
		assert_eq!(parse_range("bytes=4-", 5), Ok(Some(4..5)));
		assert_eq!(parse_range("bytes=5-", 5), Err(Unsatisfiable));
		assert_eq!(parse_range("bytes=-0", 5), Err(Unsatisfiable));
		for text in ["", "bytes", "bytes=9-1", "bytes=0-1,3-4", "lines=0-1", "bytes=a-b"] {
			assert_eq!(parse_range(text, 5), Ok(None), "{text}");
		}
	}

	#[test]
	fn lists_of_etags_name_one() {
		for list in ["\"a\"", "\"b\", \"a\"", "*", "W/\"a\""] {
			assert!(names(list, "\"a\""), "{list}");
		}
		for list in ["", "a", "\"b\"", "\"a", "\"ab\""] {
			assert!(!names(list, "\"a\""), "{list}");
		}
	}

	#[test]
	fn parts_of_fragments_are_within_them() {
		assert_eq!(parse_place("7/2"), Some((7, 2)));
		for text in ["", "7", "7/256", "-1/0", "+1/0", "1/2/3", "4294967296/0"] {
			assert_eq!(parse_place(text), None, "{text}");
		}
		assert_eq!(parse_part("", 9), Some(0..9));
		assert_eq!(parse_part("from=3&below=9", 9), Some(3..9));
		for text in ["from=9", "below=0", "below=10", "from=5&below=5", "from", "from=a", "x=1"] {
			assert_eq!(parse_part(text, 9), None, "{text}");
		}
	}

	#[test]
	fn the_interface_is_described() {
		let description: serde_json::Value = serde_json::from_str(OPENAPI).expect("JSON");
		let fragment = "/file/{id}/fragment/{segment}/{index}";
		for path in ["/file/{id}", "/file/{id}/status", fragment, "/health", "/metrics", "/status"]
		{
			assert!(description["paths"][path]["get"].is_object(), "{path}");
		}
	}
}
