"""Serve S3 by moto, over its real protocol, because the service itself cannot run in tests."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import boto3
import pytest
import requests
from moto.server import ThreadedMotoServer

REGION: Final = "eu-central-1"
BUCKET: Final = "evidence"


@contextmanager
def serving_s3() -> Iterator[str]:
    """Serve one empty bucket. Return its URL; the environment has the address and the credentials meanwhile."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        # moto keeps the buckets of the process's last server
        requests.post(f"http://{host}:{port}/moto-api/reset", timeout=60).raise_for_status()
        with pytest.MonkeyPatch.context() as environment:
            for name, value in {
                "AWS_ENDPOINT_URL": f"http://{host}:{port}",
                "AWS_ALLOW_HTTP": "true",
                "AWS_ACCESS_KEY_ID": "test",
                "AWS_SECRET_ACCESS_KEY": "test",
                "AWS_DEFAULT_REGION": REGION,
                "AWS_REGION": REGION,
            }.items():
                environment.setenv(name, value)
            client = boto3.client("s3", endpoint_url=f"http://{host}:{port}", region_name=REGION)
            client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
            yield f"s3://{BUCKET}/paimon"
    finally:
        server.stop()
