// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! What becomes of clients that do not do as they should.

use super::{Answer, Memory, Running, curl};
use std::{process::Stdio, sync::Arc, time::Duration};
use tokio::{
	io::{AsyncReadExt, AsyncWriteExt},
	net::TcpStream,
	process::Command,
	sync::oneshot,
	time::{sleep, timeout},
};

#[tokio::test]
async fn forms_are_refused_before_they_are_read() {
	let running = Running::start().await;
	running.s3("/bucket", &["-X", "PUT"]).await.is(200);
	let url = format!("{}/bucket", running.s3);
	let refused = curl(&url, &["-F", "key=k", "-F", "file=bytes"]).await;
	assert_eq!(refused.fails(501, "NotImplemented").headers["connection"], "close");
	// However its type is written, and though its bytes never come.
	let address = running.s3.strip_prefix("http://").expect("a URL");
	let mut stream = TcpStream::connect(address).await.expect("connects");
	let head = "POST /bucket HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5000000000\r\n\
		content-type: Multipart/FORM-data; boundary=b\r\n\r\n";
	stream.write_all(head.as_bytes()).await.expect("sent");
	let mut answer = String::new();
	let answered = timeout(Duration::from_secs(20), stream.read_to_string(&mut answer)).await;
	answered.expect("it does not wait").expect("answers");
	assert!(answer.starts_with("HTTP/1.1 501 ") && answer.contains("NotImplemented"), "{answer}");
	running.stop().await;
}

#[tokio::test]
async fn a_client_that_hangs_up_leaves_nothing_undone() {
	let data = Arc::new(tempfile::tempdir().expect("a directory"));
	let running = Running::with(data, Memory::new(), |config| config.requests_at_once = 1).await;
	running.s3("/bucket", &["-X", "PUT"]).await.is(200);
	let upload = running.s3("/bucket/k?uploads=", &["-X", "POST"]).await.is(200);
	let upload = upload.element("UploadId").expect("an id");
	let part = format!("/bucket/k?partNumber=1&uploadId={upload}");
	running.put(&part, b"part", &[]).await.is(200);
	assert_eq!(running.spooled(), 1);

	// The catalog cannot be written until the client is gone.
	let (begin, begun) = oneshot::channel();
	let (end, ended) = std::sync::mpsc::channel::<()>();
	let gateway = running.gateway.clone();
	let busy = tokio::spawn(async move {
		let written = gateway.catalog.write(move |_| {
			let _ = begin.send(());
			let _ = ended.recv();
			Ok(())
		});
		written.await
	});
	begun.await.expect("it has begun");
	let aborted = Command::new("curl")
		.args(["-sS", "-m", "2", "-X", "DELETE", "--aws-sigv4", "aws:amz:us-east-1:s3"])
		.args(["--user", "owner:secret", "-H", "x-amz-content-sha256: UNSIGNED-PAYLOAD"])
		.arg(format!("{}/bucket/k?uploadId={upload}", running.s3))
		.stdin(Stdio::null())
		.output()
		.await;
	assert_eq!(aborted.expect("curl runs").status.code(), Some(28), "nobody answered in time");
	// Its turn is not over, but those at the other address have turns of their own.
	running.status().await;
	end.send(()).expect("it waits");
	busy.await.expect("it ran").expect("written");

	let removed = async {
		while running.spooled() > 0 || running.gateway.spool.used() > 0 {
			sleep(Duration::from_millis(20)).await;
		}
	};
	timeout(Duration::from_secs(20), removed).await.expect("what was freed is removed");
	running.s3(&format!("/bucket/k?uploadId={upload}"), &[]).await.fails(404, "NoSuchUpload");
	running.stop().await;
}

/// Puts five bytes in a chunk with a request that does not say itself how long it is.
async fn put_chunk(running: &Running, len: u64) -> Answer {
	let len = format!("x-amz-decoded-content-length: {len}");
	let mut all = vec!["-X", "PUT", "--aws-sigv4", "aws:amz:us-east-1:s3"];
	all.extend(["--user", "owner:secret", "-H", "transfer-encoding: chunked", "-H", &len]);
	all.extend(["-H", "x-amz-content-sha256: STREAMING-UNSIGNED-PAYLOAD-TRAILER"]);
	all.extend(["-H", "x-amz-trailer: x-amz-checksum-crc32", "--data-binary"]);
	all.push("5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n");
	curl(&format!("{}/bucket/k", running.s3), &all).await
}

#[tokio::test]
async fn what_comes_in_chunks_is_as_long_as_it_says() {
	let running = Running::start().await;
	running.s3("/bucket", &["-X", "PUT"]).await.is(200);
	put_chunk(&running, 4).await.fails(400, "IncompleteBody");
	put_chunk(&running, 6).await.fails(400, "IncompleteBody");
	// Before any of it is taken.
	put_chunk(&running, 1 << 40).await.fails(400, "EntityTooLarge");
	running.s3("/bucket/k", &[]).await.fails(404, "NoSuchKey");
	put_chunk(&running, 5).await.is(200);
	assert_eq!(running.s3("/bucket/k", &[]).await.is(200).body, b"hello");
	running.stop().await;
}
