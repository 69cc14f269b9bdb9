"""Servers that were not written here, each in a process of its own: httpbin, and moto, which checks AWS signatures.

with httpbin() as server:
    ...  # send something to server.url
"""

import re
import subprocess
import sys
import urllib.parse
import urllib.request
from types import TracebackType
from typing import Self

_SERVE = """
import sys
from werkzeug.serving import make_server
{app}
server = make_server("127.0.0.1", 0, app, threaded=True)
print(server.port, flush=True)
server.serve_forever()
"""
_HTTPBIN = "from httpbin import app"
_MOTO = """
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
app = DomainDispatcherApplication(create_backend_app)
"""


class Foreign:
    """A WSGI application in a process; ready when it is made, gone when it is left."""

    def __init__(self, app: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _SERVE.format(app=app)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            encoding="utf-8",
        )
        assert self._process.stdout is not None
        port = self._process.stdout.readline().strip()
        assert port, "the server did not start"
        self.url = f"http://127.0.0.1:{port}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.communicate(timeout=30)


def httpbin() -> Foreign:
    """Start httpbin."""
    return Foreign(_HTTPBIN)


class Aws(Foreign):
    """moto, with a user that may use S3. `key_id` and `key` are the user's; from then on every signature is checked."""

    def __init__(self) -> None:
        super().__init__(_MOTO)
        self._ask("iam", Action="CreateUser", UserName="robot")
        policy = '{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": ["s3:*", "sts:*"], "Resource": "*"}}'
        self._ask("iam", Action="PutUserPolicy", UserName="robot", PolicyName="all", PolicyDocument=policy)
        told = self._ask("iam", Action="CreateAccessKey", UserName="robot")
        self.key_id, self.key = _between(told, "AccessKeyId"), _between(told, "SecretAccessKey")
        trust = '{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "*"}}}'
        role = self._ask("iam", Action="CreateRole", RoleName="reader", AssumeRolePolicyDocument=trust)
        self._ask("iam", Action="PutRolePolicy", RoleName="reader", PolicyName="all", PolicyDocument=policy)
        told = self._ask("sts", Action="AssumeRole", RoleArn=_between(role, "Arn"), RoleSessionName="x")
        names = ("AccessKeyId", "SecretAccessKey", "SessionToken")
        self.temporary = {name: _between(told, name) for name in names}
        request = urllib.request.Request(
            f"{self.url}/moto-api/reset-auth", b"0", {"Content-Type": "text/plain"}
        )
        urllib.request.urlopen(request, timeout=30).read()

    def _ask(self, service: str, **parameters: str) -> str:
        scope = f"Credential=x/20260101/us-east-1/{service}/aws4_request"
        request = urllib.request.Request(
            self.url,
            urllib.parse.urlencode(parameters).encode(),
            {"Authorization": f"AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=0"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            told: str = answer.read().decode()
        return told


def _between(text: str, tag: str) -> str:
    match = re.search(rf"<{tag}>([^<]+)</{tag}>", text)
    assert match, text
    return match[1]
