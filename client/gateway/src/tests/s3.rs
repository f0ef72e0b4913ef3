// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! What S3 clients see.

use super::{Running, content, curl};
use md5::{Digest, Md5};

#[tokio::test]
async fn buckets_are_made_listed_and_deleted_by_their_owner() {
	let running = Running::start().await;
	running.s3("/", &[]).await.is(200);
	running.s3("/bucket", &["-X", "PUT"]).await.is(200);
	running.s3("/bucket", &["-X", "PUT"]).await.fails(409, "BucketAlreadyOwnedByYou");
	running.as_key("other", "/bucket", &["-X", "PUT"]).await.fails(409, "BucketAlreadyExists");
	running.as_key("other", "/bucket", &[]).await.fails(403, "AccessDenied");
	running.as_key("nobody", "/", &[]).await.fails(403, "InvalidAccessKeyId");
	curl(&format!("{}/", running.s3), &[]).await.fails(403, "AccessDenied");
	running.s3("/Bad_Name", &["-X", "PUT"]).await.fails(400, "InvalidBucketName");
	assert_eq!(running.s3("/", &[]).await.is(200).elements("Name"), ["bucket"]);
	assert!(running.as_key("other", "/", &[]).await.is(200).elements("Name").is_empty());
	running.s3("/another", &["-X", "PUT"]).await.is(200);
	let page = running.s3("/?max-buckets=1", &[]).await.is(200);
	assert_eq!(page.elements("Name"), ["another"]);
	let token = page.element("ContinuationToken").expect("there is more");
	let page = running.s3(&format!("/?continuation-token={token}&max-buckets=1"), &[]).await;
	assert_eq!(page.is(200).elements("Name"), ["bucket"]);
	running.s3("/?max-buckets=0", &[]).await.fails(400, "InvalidArgument");
	running.s3("/another", &["-X", "DELETE"]).await.is(204);
	running.as_key("reader", "/bucket", &[]).await.is(200);
	running.as_key("reader", "/bucket", &["-X", "DELETE"]).await.fails(403, "AccessDenied");
	running.put("/bucket/key", b"1", &[]).await.is(200);
	running.s3("/bucket", &["-X", "DELETE"]).await.fails(409, "BucketNotEmpty");
	running.s3("/bucket/key", &["-X", "DELETE"]).await.is(204);
	running.s3("/bucket", &["-X", "DELETE"]).await.is(204);
	running.s3("/bucket", &[]).await.fails(404, "NoSuchBucket");
	running.put("/bucket/key", b"1", &[]).await.fails(404, "NoSuchBucket");
	running.stop().await;
}

#[tokio::test]
async fn objects_are_read_as_they_were_written_before_and_after_they_are_stored() {
	let running = Running::start().await;
	running.s3("/bucket", &["-X", "PUT"]).await.is(200);
	let bytes = content(1, 9_000_000);
	let etag = format!("\"{}\"", hex::encode(Md5::digest(&bytes)));
	running.network.open.send_replace(false);
	let said = ["-H", "content-type: image/png", "-H", "x-amz-meta-mood: good"];
	let put = running.put("/bucket/a/b", &bytes, &said).await.is(200);
	assert_eq!(put.headers["etag"], etag);
	for stored in [false, true] {
		if stored {
			running.network.open.send_replace(true);
			running.until_active().await;
			assert_eq!(running.spooled(), 0);
		}
		let got = running.s3("/bucket/a/b", &[]).await.is(200);
		assert!(got.body == bytes, "{stored}");
		assert_eq!((&got.headers["etag"], &got.headers["content-type"][..]), (&etag, "image/png"));
		assert_eq!(got.headers["x-amz-meta-mood"], "good");
		let head = running.s3("/bucket/a/b", &["-I"]).await.is(200);
		assert_eq!(head.headers["content-length"], "9000000");
		assert_eq!(head.headers["x-planaria-state"] == "active", stored);
		for (range, expected) in [
			("0-0", 0..1),
			("4194303-4194304", 4_194_303..4_194_305),
			("8999999-", 8_999_999..9_000_000),
			("-5", 8_999_995..9_000_000),
			("100-99999999", 100..9_000_000),
		] {
			let part = running.s3("/bucket/a/b", &["-r", range]).await.is(206);
			assert!(part.body == bytes[expected.clone()], "{range}");
			let shown = format!("bytes {}-{}/9000000", expected.start, expected.end - 1);
			assert_eq!(part.headers["content-range"], shown);
		}
		running.s3("/bucket/a/b", &["-r", "9000000-"]).await.fails(416, "InvalidRange");
	}
	running.s3("/bucket/a", &[]).await.fails(404, "NoSuchKey");
	running.as_key("reader", "/bucket/a/b", &["-X", "DELETE"]).await.fails(403, "AccessDenied");
	running.as_key("other", "/bucket/a/b", &[]).await.fails(403, "AccessDenied");
	// A second time it comes from the cache.
	let read = running.network.state().read;
	running.s3("/bucket/a/b", &[]).await.is(200);
	assert_eq!(running.network.state().read, read);
	running.stop().await;
}

#[tokio::test]
async fn what_nobody_can_read_is_not_asked_for_again_at_once() {
	let running = Running::start().await;
	running.s3("/bucket", &["-X", "PUT"]).await.is(200);
	for (seed, name) in [(1, "lost"), (2, "other")] {
		let bytes = content(seed, 1_000_000);
		running.put(&format!("/bucket/{name}"), &bytes, &[]).await.is(200);
	}
	running.until_active().await;
	let reads = || running.network.state().reads;
	let before = reads();
	running.network.state().mute = true;
	running.s3("/bucket/lost", &[]).await.is(503);
	assert_eq!(reads(), before + 1);
	running.network.state().mute = false;
	// Nobody is asked: that would keep others waiting.
	running.s3("/bucket/lost", &[]).await.is(503);
	assert_eq!(reads(), before + 1);
	running.s3("/bucket/other", &[]).await.is(200);
	running.stop().await;
}

#[tokio::test]
async fn conditions_and_digests_are_kept_to() {
	let running = Running::start().await;
	running.s3("/bucket", &["-X", "PUT"]).await.is(200);
	let put = running.put("/bucket/k", b"hello", &["-H", "if-none-match: *"]).await.is(200);
	let etag = put.headers["etag"].clone();
	let only_new = ["-H", "if-none-match: *"];
	running.put("/bucket/k", b"other", &only_new).await.fails(412, "PreconditionFailed");
	let (same, differs) = (format!("if-match: {etag}"), "if-match: \"0\"");
	running.s3("/bucket/k", &["-H", &same]).await.is(200);
	running.s3("/bucket/k", &["-H", differs]).await.fails(412, "PreconditionFailed");
	let known = format!("if-none-match: {etag}");
	running.s3("/bucket/k", &["-H", &known]).await.is(304);
	let old = "if-modified-since: Sat, 01 Jan 2000 00:00:00 GMT";
	running.s3("/bucket/k", &["-H", old]).await.is(200);
	let old = "if-unmodified-since: Sat, 01 Jan 2000 00:00:00 GMT";
	running.s3("/bucket/k", &["-H", old]).await.fails(412, "PreconditionFailed");

	let wrong = ["-H", "content-md5: AAAAAAAAAAAAAAAAAAAAAA=="];
	running.put("/bucket/k", b"x", &wrong).await.fails(400, "BadDigest");
	running.put("/bucket/k", b"x", &["-H", "content-md5: x"]).await.fails(400, "InvalidDigest");
	let wrong = ["-H", "x-amz-checksum-crc32: AAAAAA=="];
	running.put("/bucket/k", b"x", &wrong).await.fails(400, "BadDigest");
	let right = ["-H", "x-amz-checksum-crc32: y/Q5Jg=="];
	let put = running.put("/bucket/c", b"123456789", &right).await.is(200);
	assert_eq!(put.headers["x-amz-checksum-crc32"], "y/Q5Jg==");
	let asked = running.s3("/bucket/c", &["-H", "x-amz-checksum-mode: ENABLED"]).await.is(200);
	assert_eq!(asked.headers["x-amz-checksum-crc32"], "y/Q5Jg==");
	assert_eq!(running.s3("/bucket/k", &[]).await.is(200).body, b"hello");
	running
		.put("/bucket/k", b"x", &["-H", "x-amz-tagging: a=b"])
		.await
		.fails(501, "NotImplemented");
	running.s3("/bucket?policy=", &[]).await.fails(501, "NotImplemented");
	running.stop().await;
}

#[tokio::test]
async fn lists_have_prefixes_delimiters_and_pages() {
	let running = Running::start().await;
	running.s3("/bucket", &["-X", "PUT"]).await.is(200);
	for key in ["a", "b/1", "b/2", "c", "%C3%BC/1", "x%26%3C%01"] {
		running.put(&format!("/bucket/{key}"), b"1", &[]).await.is(200);
	}
	let list = |query: &'static str| running.s3(query, &[]);
	let all = list("/bucket?delimiter=%2F&list-type=2").await.is(200);
	assert_eq!(all.element("KeyCount").as_deref(), Some("5"));
	assert_eq!(all.elements("Prefix"), ["", "b/", "ü/"]);
	let keys = list("/bucket?encoding-type=url&list-type=2").await.is(200).elements("Key");
	assert_eq!(keys, ["a", "b/1", "b/2", "c", "x%26%3C%01", "%C3%BC/1"]);
	let mut token = String::new();
	let mut found = Vec::new();
	loop {
		let query = format!("/bucket?{token}encoding-type=url&list-type=2&max-keys=2");
		let page = running.s3(&query, &[]).await.is(200);
		found.extend(page.elements("Key"));
		match page.element("NextContinuationToken") {
			Some(next) => token = format!("continuation-token={next}&"),
			None => break,
		}
	}
	assert_eq!(found, keys);
	let page = list("/bucket?delimiter=%2F&marker=a&max-keys=1").await.is(200);
	assert_eq!(page.elements("NextMarker"), ["b/"]);
	let page = list("/bucket?delimiter=%2F&marker=b%2F&max-keys=1").await.is(200);
	assert_eq!(page.elements("Key"), ["c"]);
	list("/bucket?continuation-token=zz&list-type=2").await.fails(400, "InvalidArgument");
	list("/bucket?list-type=2&max-keys=-1").await.fails(400, "InvalidArgument");
	running.stop().await;
}

#[tokio::test]
async fn names_are_only_names() {
	let running = Running::start().await;
	running.s3("/bucket", &["-X", "PUT"]).await.is(200);
	let long = format!("/bucket/{}", "n".repeat(1024));
	for key in ["/bucket/../../etc/passwd", "/bucket//absolute", "/bucket/%F0%9F%AA%B1", &long] {
		running.put(key, key.as_bytes(), &[]).await.is(200);
		assert_eq!(running.s3(key, &[]).await.is(200).body, key.as_bytes());
	}
	running.put(&format!("{long}n"), b"1", &[]).await.fails(400, "KeyTooLongError");
	running.put("/bucket/%FF", b"1", &[]).await.is(400);
	let outside = running.data.path().parent().expect("a parent").join("etc");
	assert!(!outside.exists());
	running.stop().await;
}

#[tokio::test]
async fn parts_come_in_any_order_and_are_checked() {
	let running = Running::start().await;
	running.s3("/bucket", &["-X", "PUT"]).await.is(200);
	let said = ["-X", "POST", "-H", "content-type: text/plain"];
	let upload = running.s3("/bucket/big?uploads=", &said).await.is(200);
	let upload = upload.element("UploadId").expect("an id");
	let parts: Vec<Vec<u8>> = vec![content(1, 5 << 20), content(2, 6 << 20), content(3, 7)];
	let part = |number: usize| format!("/bucket/big?partNumber={number}&uploadId={upload}");
	let mut etags = vec![String::new(); 4];
	running.put(&part(2), b"another", &[]).await.is(200);
	for number in [3, 1, 2] {
		let put = running.put(&part(number), &parts[number - 1], &[]).await.is(200);
		etags[number] = put.headers["etag"].clone();
	}
	running.put(&part(4), &content(4, 100), &[]).await.is(200);
	running.put(&part(10_001), b"x", &[]).await.fails(400, "InvalidArgument");
	let listed = running.s3(&format!("/bucket/big?max-parts=2&uploadId={upload}"), &[]).await;
	let listed = listed.is(200);
	assert_eq!(listed.elements("PartNumber"), ["1", "2"]);
	assert_eq!(listed.elements("NextPartNumberMarker"), ["2"]);
	assert_eq!(
		running.s3("/bucket?uploads=", &[]).await.is(200).elements("UploadId"),
		[&upload[..]]
	);

	let complete = async |upload: &str, numbers: &[(usize, &str)]| {
		let parts: String = numbers
			.iter()
			.map(|(number, etag)| {
				format!("<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>")
			})
			.collect();
		let body = format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>");
		let path = format!("/bucket/big?uploadId={upload}");
		running.s3(&path, &["-X", "POST", "-H", "content-type: application/xml", "-d", &body]).await
	};
	let (one, two, three) = (&etags[1][..], &etags[2][..], &etags[3][..]);
	complete(&upload, &[(2, two), (1, one)]).await.fails(400, "InvalidPartOrder");
	complete(&upload, &[(1, two)]).await.fails(400, "InvalidPart");
	complete(&upload, &[(9, one)]).await.fails(400, "InvalidPart");
	complete(&upload, &[(3, three), (4, "")]).await.is(400);
	complete("00", &[(1, one)]).await.fails(404, "NoSuchUpload");
	let done = complete(&upload, &[(1, one), (2, two), (3, three)]).await.is(200);
	let mut md5 = Md5::new();
	parts.iter().for_each(|part| md5.update(Md5::digest(part)));
	let etag = format!("{}-3", hex::encode(md5.finalize()));
	assert!(done.text().contains(&etag), "{}", done.text());
	complete(&upload, &[(1, one)]).await.fails(404, "NoSuchUpload");

	let whole = parts.concat();
	running.until_active().await;
	for _ in 0..200 {
		if running.spooled() == 0 {
			break;
		}
		tokio::time::sleep(std::time::Duration::from_millis(50)).await;
	}
	assert_eq!(running.spooled(), 0);
	let got = running.s3("/bucket/big", &[]).await.is(200);
	assert!(got.body == whole && got.headers["content-type"] == "text/plain");
	let second = running.s3("/bucket/big?partNumber=2", &[]).await.is(206);
	assert!(second.body == parts[1]);
	assert_eq!(second.headers["x-amz-mp-parts-count"], "3");

	let upload = running.s3("/bucket/gone?uploads=", &["-X", "POST"]).await.is(200);
	let upload = upload.element("UploadId").expect("an id");
	running.put(&format!("/bucket/gone?partNumber=1&uploadId={upload}"), b"x", &[]).await.is(200);
	assert_eq!(running.spooled(), 1);
	running.s3(&format!("/bucket/gone?uploadId={upload}"), &["-X", "DELETE"]).await.is(204);
	assert_eq!(running.spooled(), 0);
	running.stop().await;
}

/// Begins an upload of two parts, puts both, and completes it; `begin` and `end` are headers.
async fn assembled(
	running: &Running,
	(begin, end): (&[&str], &[&str]),
	parts: &[Vec<u8>],
	named: &[&str],
) -> super::Answer {
	let begin = [&["-X", "POST"], begin].concat();
	let upload = running.s3("/bucket/sum?uploads=", &begin).await.is(200);
	let upload = upload.element("UploadId").expect("an id");
	let mut list = String::new();
	for (number, (part, sum)) in (1..).zip(parts.iter().zip(named)) {
		let path = format!("/bucket/sum?partNumber={number}&uploadId={upload}");
		let etag = running.put(&path, part, &[]).await.is(200).headers["etag"].clone();
		list += &format!("<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag>{sum}</Part>");
	}
	let body = format!("<CompleteMultipartUpload>{list}</CompleteMultipartUpload>");
	let end = [&["-X", "POST", "-d", &body], end].concat();
	running.s3(&format!("/bucket/sum?uploadId={upload}"), &end).await
}

#[tokio::test]
async fn the_checksum_of_an_assembled_object_is_verified() {
	use crate::digest::{Algorithm, Digester};
	let running = Running::start().await;
	running.s3("/bucket", &["-X", "PUT"]).await.is(200);
	let parts = vec![content(1, 5 << 20), content(2, 100)];
	let sum = |algorithm, bytes: &[u8]| {
		let mut digester = Digester::new(Some(algorithm));
		digester.update(bytes);
		digester.finish().checksum.expect("wanted").1
	};
	let none = ["", ""];
	for algorithm in [Algorithm::Crc32, Algorithm::Crc32c, Algorithm::Crc64Nvme] {
		let name = algorithm.name();
		let chosen = format!("x-amz-checksum-algorithm: {name}");
		let whole = sum(algorithm, &parts.concat());
		let right = format!("{}: {whole}", algorithm.header());
		let wrong = format!("{}: {}", algorithm.header(), sum(algorithm, b"wrong"));
		let full = ["-H", &chosen, "-H", "x-amz-checksum-type: FULL_OBJECT"];
		for begin in [&[][..], &full] {
			let refused = assembled(&running, (begin, &["-H", &wrong]), &parts, &none).await;
			refused.fails(400, "BadDigest");
			running.s3("/bucket/sum", &[]).await.fails(404, "NoSuchKey");
			let done = assembled(&running, (begin, &["-H", &right]), &parts, &none).await.is(200);
			assert_eq!(done.element(&format!("Checksum{name}")).as_ref(), Some(&whole));
			assert_eq!(done.element("ChecksumType").as_deref(), Some("FULL_OBJECT"));
			let asked = ["-I", "-H", "x-amz-checksum-mode: ENABLED"];
			let head = running.s3("/bucket/sum", &asked).await.is(200);
			assert_eq!(head.headers[algorithm.header()], whole);
			assert_eq!(head.headers["x-amz-checksum-type"], "FULL_OBJECT");
			running.s3("/bucket/sum", &["-X", "DELETE"]).await.is(204);
		}
	}
	// Of SHA-256 only the parts' checksums can be combined.
	let chosen = ["-H", "x-amz-checksum-algorithm: SHA256"];
	let of_part =
		|part: &[u8]| format!("<ChecksumSHA256>{}</ChecksumSHA256>", sum(Algorithm::Sha256, part));
	let (one, two) = (of_part(&parts[0]), of_part(&parts[1]));
	let done = assembled(&running, (&chosen, &[]), &parts, &[&one, &two]).await.is(200);
	assert!(done.element("ChecksumSHA256").is_some_and(|sum| sum.ends_with("-2")));
	assert_eq!(done.element("ChecksumType").as_deref(), Some("COMPOSITE"));
	assembled(&running, (&chosen, &[]), &parts, &[&two, &one]).await.fails(400, "InvalidPart");
	let full = [&chosen[..], &["-X", "POST", "-H", "x-amz-checksum-type: FULL_OBJECT"]].concat();
	running.s3("/bucket/sum?uploads=", &full).await.fails(400, "InvalidRequest");
	let upload = running.s3("/bucket/sum?uploads=", &[&chosen[..], &["-X", "POST"]].concat()).await;
	let upload = upload.element("UploadId").expect("an id");
	let other = ["-H", "x-amz-checksum-crc32: y/Q5Jg=="];
	let path = format!("/bucket/sum?partNumber=1&uploadId={upload}");
	running.put(&path, b"123456789", &other).await.fails(400, "InvalidRequest");
	running.stop().await;
}

#[tokio::test]
async fn what_is_not_done_is_not_passed_over() {
	let running = Running::start().await;
	running.s3("/bucket", &["-X", "PUT"]).await.is(200);
	let put = running.put("/bucket/k", b"hello", &[]).await.is(200);
	for header in [
		"x-amz-grant-read: id=1",
		"x-amz-storage-class: GLACIER",
		"x-amz-server-side-encryption: AES256",
		"x-amz-object-lock-legal-hold: ON",
		"x-amz-website-redirect-location: /",
	] {
		let refused = running.put("/bucket/k", b"other", &["-H", header]).await;
		refused.fails(501, "NotImplemented");
	}
	for header in ["x-amz-checksum-crc32: AA==", "x-amz-checksum-crc32: y/Q5Jg"] {
		running.put("/bucket/k", b"other", &["-H", header]).await.fails(400, "InvalidRequest");
	}
	let both = ["-H", "x-amz-checksum-crc32: AAAAAA==", "-H", "x-amz-checksum-crc32c: AAAAAA=="];
	running.put("/bucket/k", b"other", &both).await.fails(400, "InvalidRequest");
	let standard = "x-amz-storage-class: STANDARD";
	running.put("/bucket/l", b"other", &["-H", standard]).await.is(200);
	assert_eq!(running.s3("/bucket/k", &[]).await.is(200).body, b"hello");
	let owner = planaria_sdk::AccountId32::new(super::OWNER).to_string();
	let owner = format!("x-amz-expected-bucket-owner: {owner}");
	running.s3("/bucket/k", &["-H", &owner]).await.is(200);
	let other = "x-amz-expected-bucket-owner: 123456789012";
	running.s3("/bucket/k", &["-H", other]).await.fails(403, "AccessDenied");
	let elsewhere = "<CreateBucketConfiguration><LocationConstraint>eu-west-1</LocationConstraint>		</CreateBucketConfiguration>";
	let refused = running.s3("/second", &["-X", "PUT", "-d", elsewhere]).await;
	refused.fails(400, "InvalidLocationConstraint");

	// A part of an object is of the object that the client has the rest of.
	let known = format!("if-range: {}", put.headers["etag"]);
	let part = running.s3("/bucket/k", &["-r", "1-2", "-H", &known]).await.is(206);
	assert_eq!(part.body, b"el");
	let whole = running.s3("/bucket/k", &["-r", "1-2", "-H", "if-range: \"0\""]).await.is(200);
	assert_eq!(whole.body, b"hello");
	let body = "<Delete><Object><Key>k</Key><ETag>0</ETag></Object></Delete>";
	let kept = running.s3("/bucket?delete=", &["-X", "POST", "-d", body]).await.is(200);
	assert_eq!(kept.elements("Code"), ["NotImplemented"]);
	running.s3("/bucket/k", &[]).await.is(200);
	running.stop().await;
}

#[tokio::test]
async fn what_is_not_signed_right_is_refused() {
	let running = Running::start().await;
	running.s3("/bucket", &["-X", "PUT"]).await.is(200);
	running.put("/bucket/k", b"hello", &[]).await.is(200);
	running.as_key("nobody", "/bucket/k", &[]).await.fails(403, "InvalidAccessKeyId");
	let url = format!("{}/bucket/k", running.s3);
	// A request that was good once.
	let scope = "owner/20200101/us-east-1/s3/aws4_request";
	let signed = "SignedHeaders=host;x-amz-content-sha256;x-amz-date";
	let signature = "0".repeat(64);
	let signature = format!(
		"authorization: AWS4-HMAC-SHA256 Credential={scope}, {signed}, Signature={signature}"
	);
	let old = ["x-amz-date: 20200101T000000Z", "x-amz-content-sha256: UNSIGNED-PAYLOAD"];
	let old = ["-H", old[0], "-H", old[1], "-H", &signature];
	curl(&url, &old).await.fails(403, "RequestTimeTooSkewed");
	let forged = ["--aws-sigv4", "aws:amz:us-east-1:s3", "--user", "owner:guessed"];
	let forged = [&forged[..], &["-H", "x-amz-content-sha256: UNSIGNED-PAYLOAD"]].concat();
	curl(&url, &forged).await.fails(403, "SignatureDoesNotMatch");
	// A link that was good once.
	let link = format!(
		"{url}?X-Amz-Algorithm=AWS4-HMAC-SHA256\
		 &X-Amz-Credential=owner%2F20200101%2Fus-east-1%2Fs3%2Faws4_request\
		 &X-Amz-Date=20200101T000000Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host\
		 &X-Amz-Signature={}",
		"0".repeat(64)
	);
	curl(&link, &[]).await.is(403);
	for header in ["AWS4-HMAC-SHA256", "AWS4-HMAC-SHA256 Credential=owner, x", "Basic b3duZXI6"] {
		let header = format!("authorization: {header}");
		let refused = curl(&url, &["-H", &header]).await;
		assert!((400..500).contains(&refused.status), "{header}: {}", refused.text());
	}
	let delete = async |body| running.s3("/bucket?delete=", &["-X", "POST", "-d", body]).await;
	delete("").await.fails(400, "MissingRequestBodyError");
	for body in ["<Delete", "<Delete><Object></Delete>", "<Other/>"] {
		delete(body).await.fails(400, "MalformedXML");
	}
	assert_eq!(running.s3("/bucket/k", &[]).await.is(200).body, b"hello");
	running.stop().await;
}

#[tokio::test]
async fn copies_share_what_is_stored() {
	let running = Running::start().await;
	running.s3("/bucket", &["-X", "PUT"]).await.is(200);
	let bytes = content(1, 100_000);
	running.put("/bucket/one", &bytes, &["-H", "x-amz-meta-a: 1"]).await.is(200);
	running.until_active().await;
	let copy = ["-X", "PUT", "-H", "x-amz-copy-source: /bucket/one"];
	running.s3("/bucket/two", &copy).await.is(200);
	let replace = [&copy[..], &["-H", "x-amz-metadata-directive: REPLACE"]].concat();
	running.s3("/bucket/three", &replace).await.is(200);
	running.s3("/bucket/one", &copy).await.fails(400, "InvalidArgument");
	running
		.s3("/bucket/two", &["-X", "PUT", "-H", "x-amz-copy-source: /bucket/none"])
		.await
		.fails(404, "NoSuchKey");
	assert_eq!(running.network.state().files.len(), 1);
	running.s3("/bucket/one", &["-X", "DELETE"]).await.is(204);
	let two = running.s3("/bucket/two", &[]).await.is(200);
	assert!(two.body == bytes && two.headers["x-amz-meta-a"] == "1");
	let three = running.s3("/bucket/three", &[]).await.is(200);
	assert!(three.body == bytes && !three.headers.contains_key("x-amz-meta-a"));
	let body = "<Delete><Object><Key>two</Key></Object><Object><Key>three</Key></Object>\
		<Object><Key>never</Key></Object></Delete>";
	let deleted = running.s3("/bucket?delete=", &["-X", "POST", "-d", body]).await.is(200);
	assert_eq!(deleted.elements("Key"), ["two", "three", "never"]);
	while running.network.state().deleted.is_empty() {
		tokio::time::sleep(std::time::Duration::from_millis(20)).await;
	}
	assert!(running.network.state().files.is_empty());
	running.stop().await;
}

#[tokio::test]
async fn what_is_public_anybody_reads() {
	let running = Running::start().await;
	running.s3("/bucket", &["-X", "PUT"]).await.is(200);
	running.put("/bucket/open", b"open", &["-H", "x-amz-acl: public-read"]).await.is(200);
	running.put("/bucket/closed", b"closed", &[]).await.is(200);
	let url = |key: &str| format!("{}/bucket/{key}", running.s3);
	assert_eq!(curl(&url("open"), &[]).await.is(200).body, b"open");
	curl(&url("closed"), &[]).await.fails(403, "AccessDenied");
	// With a key as well, whoever's it is.
	assert_eq!(running.as_key("other", "/bucket/open", &[]).await.is(200).body, b"open");
	running.as_key("other", "/bucket/closed", &[]).await.fails(403, "AccessDenied");
	curl(&url("open"), &["-X", "DELETE"]).await.fails(403, "AccessDenied");
	let other = ["-H", "x-amz-acl: authenticated-read"];
	running.put("/bucket/x", b"x", &other).await.fails(501, "NotImplemented");
	running.stop().await;
}

#[tokio::test]
async fn files_are_read_by_their_ids_without_s3() {
	let running = Running::start().await;
	running.s3("/bucket", &["-X", "PUT"]).await.is(200);
	let bytes = content(1, 5_000_000);
	running.put("/bucket/k", &bytes, &["-H", "x-amz-acl: public-read"]).await.is(200);
	running.until_active().await;
	let head = running.s3("/bucket/k", &["-I"]).await.is(200);
	let id = &head.headers["x-planaria-file-id"];
	let url = |path: &str| format!("{}{path}", running.plain);
	let file = url(&format!("/file/{id}"));
	let got = curl(&file, &[]).await.is(200);
	assert!(got.body == bytes && got.headers["content-length"] == "5000000");
	assert!(curl(&file, &["-r", "-3"]).await.is(206).body == bytes[4_999_997..]);
	curl(&file, &["-r", "5000000-"]).await.is(416);
	let known = format!("if-none-match: {}", got.headers["etag"]);
	curl(&file, &["-H", &known]).await.is(304);
	assert_eq!(curl(&file, &["-I"]).await.is(200).headers["content-length"], "5000000");
	curl(&file, &["-X", "POST"]).await.is(405);
	curl(&url(&format!("/file/{}", "0".repeat(64))), &[]).await.is(404);
	curl(&url("/file/xyz"), &[]).await.is(400);
	let status = curl(&format!("{file}/status"), &[]).await.is(200).text();
	let status: serde_json::Value = serde_json::from_str(&status).expect("JSON");
	assert_eq!(status["gateway"][0]["state"], "active");
	assert_eq!(status["gateway"][0]["fragments"]["0"][2]["phase"], "COMPLETED");
	curl(&url("/health"), &[]).await.is(200);
	curl(&url("/openapi.json"), &[]).await.is(200);
	let metrics = curl(&url("/metrics"), &[]).await.is(200).text();
	assert!(metrics.contains("planaria_gateway_contents{state=\"active\"} 1"), "{metrics}");
	curl(&url("/"), &[]).await.is(404);
	running.stop().await;
}
