# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The Planaria developers
"""Writes through a gateway, reads back, and deletes, with clients that nobody here wrote.

boto3 and curl always; s3cmd and rclone where they are installed, but for the tree, which rclone is
needed for. Usage: clients.py write|read|delete|tree|tree-read|parts|parts-resume|at-once|at-once-read

PARTS, the number of parts of 8 MiB of the large object: 16, or as the environment says. `parts` ends
by SIGKILL.
"""

import concurrent.futures
import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

URL = os.environ["S3_URL"]
WORK = os.environ["WORK"]
MIB = 1 << 20
config = Config(s3={"addressing_style": "path"}, retries={"max_attempts": 8, "mode": "standard"})
s3 = boto3.client("s3", endpoint_url=URL, config=config)


def content(seed, length):
    return hashlib.shake_256(str(seed).encode()).digest(length)


PARTS = [content(f"part {n}", 5 * MIB + n) for n in range(1, 6)] + [content("last", 77)]
OBJECTS = {
    "small": content("small", 1000),
    "empty": b"",
    "with space/ünï/🪱 & <x>": content("name", 70_000),
    "../../etc/passwd": b"harmless",
    "n" * 1024: b"long",
    "medium": content("medium", 3 * MIB + 5),
}


def fails(code, call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        found = error.response["Error"]["Code"]
        assert found == code, f"{found} in place of {code}"
        return
    raise AssertionError(f"{call} did not fail with {code}")


def write():
    s3.create_bucket(Bucket="first")
    for key, value in OBJECTS.items():
        s3.put_object(Bucket="first", Key=key, Body=value, Metadata={"size": str(len(value))})
    upload = s3.create_multipart_upload(Bucket="first", Key="parts", ContentType="video/mp4")
    upload = {"Bucket": "first", "Key": "parts", "UploadId": upload["UploadId"]}
    numbers = list(range(1, len(PARTS) + 1))
    random.shuffle(numbers)

    def send(number):
        answer = s3.upload_part(**upload, PartNumber=number, Body=PARTS[number - 1])
        return {"PartNumber": number, "ETag": answer["ETag"]}

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        sent = list(pool.map(send, numbers))
    assert len(s3.list_parts(**upload)["Parts"]) == len(PARTS)
    assert len(s3.list_multipart_uploads(Bucket="first")["Uploads"]) == 1
    fails("InvalidPartOrder", s3.complete_multipart_upload, **upload,
          MultipartUpload={"Parts": sorted(sent, key=lambda part: -part["PartNumber"])})
    sent.sort(key=lambda part: part["PartNumber"])
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": sent})
    s3.copy_object(Bucket="first", Key="copy", CopySource={"Bucket": "first", "Key": "medium"})
    fails("PreconditionFailed", s3.put_object, Bucket="first", Key="small", Body=b"x", IfNoneMatch="*")
    fails("NoSuchBucket", s3.put_object, Bucket="second", Key="small", Body=b"x")

    # boto3's own idea of large uploads.
    large = os.path.join(WORK, "large")
    with open(large, "wb") as file:
        file.write(content("large", 20 * MIB + 3))
    s3.upload_file(large, "first", "large")

    # A presigned URL, used by curl.
    url = s3.generate_presigned_url("put_object", Params={"Bucket": "first", "Key": "by-url"})
    subprocess.run(["curl", "-sSf", "-T", large, url], check=True, stdout=subprocess.DEVNULL)

    if shutil.which("s3cmd"):
        run_s3cmd("mb", "s3://third")
        run_s3cmd("put", large, "s3://third/large")
    if shutil.which("rclone"):
        tree = os.path.join(WORK, "tree")
        for directory in range(5):
            os.makedirs(os.path.join(tree, f"d {directory}"), exist_ok=True)
            for number in range(4):
                with open(os.path.join(tree, f"d {directory}", f"f{number}"), "wb") as file:
                    file.write(content((directory, number), 1000 * number + directory))
        run_rclone("sync", tree, "gateway:tree")


def run_s3cmd(*arguments):
    host = URL.removeprefix("http://")
    command = ["s3cmd", "-q", "--no-ssl", f"--host={host}", f"--host-bucket={host}"]
    # It signs for a region called US otherwise.
    command += ["--region", "us-east-1"]
    command += ["--access_key", os.environ["AWS_ACCESS_KEY_ID"]]
    command += ["--secret_key", os.environ["AWS_SECRET_ACCESS_KEY"], *arguments]
    subprocess.run(command, check=True)


def run_rclone(*arguments):
    settings = {
        "TYPE": "s3",
        "PROVIDER": "Other",
        "ENDPOINT": URL,
        "ACCESS_KEY_ID": os.environ["AWS_ACCESS_KEY_ID"],
        "SECRET_ACCESS_KEY": os.environ["AWS_SECRET_ACCESS_KEY"],
        "FORCE_PATH_STYLE": "true",
    }
    environment = {f"RCLONE_CONFIG_GATEWAY_{name}": value for name, value in settings.items()}
    command = ["rclone", "--config", "/dev/null", "-q", *arguments]
    # It does not start where certificates of one's own are set for AWS; here is no TLS.
    inherited = {name: value for name, value in os.environ.items() if name != "AWS_CA_BUNDLE"}
    subprocess.run(command, check=True, env={**inherited, **environment})


def read():
    for key, value in OBJECTS.items():
        got = s3.get_object(Bucket="first", Key=key)
        assert got["Body"].read() == value, key
        assert got["Metadata"] == {"size": str(len(value))}, got["Metadata"]
    whole = b"".join(PARTS)
    got = s3.get_object(Bucket="first", Key="parts")
    assert got["Body"].read() == whole and got["ContentType"] == "video/mp4"
    assert got["ETag"].endswith(f'-{len(PARTS)}"'), got["ETag"]
    for first, last in [(0, 0), (5 * MIB, 5 * MIB + 1), (len(whole) - 1, len(whole) - 1)]:
        part = s3.get_object(Bucket="first", Key="parts", Range=f"bytes={first}-{last}")
        assert part["Body"].read() == whole[first : last + 1]
        assert part["ResponseMetadata"]["HTTPStatusCode"] == 206
    assert s3.get_object(Bucket="first", Key="copy")["Body"].read() == OBJECTS["medium"]
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket="first", PaginationConfig={"PageSize": 2})
    keys = [item["Key"] for page in pages for item in page.get("Contents", [])]
    expected = sorted([*OBJECTS, "parts", "copy", "large", "by-url"], key=str.encode)
    assert keys == expected, (keys, expected)
    rolled = s3.list_objects_v2(Bucket="first", Delimiter="/")
    assert [p["Prefix"] for p in rolled["CommonPrefixes"]] == ["../", "with space/"]
    fails("NoSuchKey", s3.get_object, Bucket="first", Key="never")

    # A presigned URL, used by curl; another one does not work.
    url = s3.generate_presigned_url("get_object", Params={"Bucket": "first", "Key": "by-url"})
    got = subprocess.run(["curl", "-sSf", url], check=True, stdout=subprocess.PIPE).stdout
    assert got == content("large", 20 * MIB + 3)
    forged = subprocess.run(["curl", "-sS", url.replace("by-url", "large")], stdout=subprocess.PIPE)
    assert b"SignatureDoesNotMatch" in forged.stdout, forged.stdout[:200]

    copy = os.path.join(WORK, "read")
    s3.download_file("first", "large", copy)
    with open(copy, "rb") as file:
        assert file.read() == content("large", 20 * MIB + 3)
    if shutil.which("s3cmd"):
        run_s3cmd("get", "--force", "s3://third/large", copy)
        with open(copy, "rb") as file:
            assert file.read() == content("large", 20 * MIB + 3)
    if shutil.which("rclone"):
        run_rclone("check", "--download", os.path.join(WORK, "tree"), "gateway:tree")


def delete():
    for bucket in s3.list_buckets()["Buckets"]:
        name = bucket["Name"]
        fails("BucketNotEmpty", s3.delete_bucket, Bucket=name)
        keys = [{"Key": item["Key"]} for item in s3.list_objects_v2(Bucket=name)["Contents"]]
        answer = s3.delete_objects(Bucket=name, Delete={"Objects": keys})
        assert len(answer["Deleted"]) == len(keys), answer
        s3.delete_bucket(Bucket=name)
    assert not s3.list_buckets()["Buckets"]


# 2,100 files, most of them of 4 KiB.
def tree():
    tree = os.path.join(WORK, "many")
    for directory in range(21):
        os.makedirs(os.path.join(tree, f"d{directory}"), exist_ok=True)
        for number in range(100):
            length = 4096 if number % 10 else 137 * number
            with open(os.path.join(tree, f"d{directory}", f"f{number}"), "wb") as file:
                file.write(content((directory, number), length))
    run_rclone("sync", "--transfers", "16", "--checkers", "16", tree, "gateway:many")
    run_rclone("check", "--checkers", "16", tree, "gateway:many")


def tree_read():
    run_rclone("check", "--download", "--checkers", "16", os.path.join(WORK, "many"), "gateway:many")


LARGE = int(os.environ.get("PARTS", "16"))


def large_part(number):
    return content(("large part", number), 8 * MIB)


def send_large(upload, numbers):
    upload = {"Bucket": "parts", "Key": "large", "UploadId": upload}
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: s3.upload_part(**upload, PartNumber=n, Body=large_part(n)), numbers))


def parts():
    s3.create_bucket(Bucket="parts")
    upload = s3.create_multipart_upload(Bucket="parts", Key="large")["UploadId"]
    numbers = list(range(1, LARGE + 1))
    random.shuffle(numbers)
    send_large(upload, numbers[: LARGE // 2])
    print(f"    clients: killed after {LARGE // 2} of {LARGE} parts", flush=True)
    os.kill(os.getpid(), signal.SIGKILL)


def parts_resume():
    [upload] = s3.list_multipart_uploads(Bucket="parts")["Uploads"]
    upload = upload["UploadId"]

    def there():
        pages = s3.get_paginator("list_parts").paginate(
            Bucket="parts", Key="large", UploadId=upload, PaginationConfig={"PageSize": 7}
        )
        return [part for page in pages for part in page.get("Parts", [])]

    known = {part["PartNumber"] for part in there()}
    assert len(known) == LARGE // 2, known
    missing = [number for number in range(1, LARGE + 1) if number not in known]
    random.shuffle(missing)
    send_large(upload, missing)
    named = [{"PartNumber": part["PartNumber"], "ETag": part["ETag"]} for part in there()]
    s3.complete_multipart_upload(
        Bucket="parts", Key="large", UploadId=upload, MultipartUpload={"Parts": named}
    )
    read_large()


def read_large():
    body = s3.get_object(Bucket="parts", Key="large")["Body"]
    for number in range(1, LARGE + 1):
        assert body.read(8 * MIB) == large_part(number), number
    assert body.read(1) == b""


# 16 transfers at once.
def at_once():
    def put(number):
        s3.put_object(Bucket="parts", Key=f"at once {number}", Body=content(number, 16 * MIB))

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        list(pool.map(put, range(16)))


def at_once_read():
    def get(number):
        got = s3.get_object(Bucket="parts", Key=f"at once {number}")["Body"].read()
        assert got == content(number, 16 * MIB), number

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        list(pool.map(get, range(16)))
    read_large()


STEPS = [write, read, delete, tree, tree_read, parts, parts_resume, at_once, at_once_read]
{step.__name__.replace("_", "-"): step for step in STEPS}[sys.argv[1]]()
print(f"    clients: {sys.argv[1]}")
