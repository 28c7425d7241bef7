"""Requests and responses of the gateway's own routes."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from libs.common.auth.api_keys import Scope
from libs.common.auth.passwords import MAXIMUM_LENGTH, MINIMUM_LENGTH


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid")


class SignInRequest(_Request):
    # No pattern: what is no address belongs to nobody, and gets the same answer as one that belongs to nobody.
    email: Annotated[str, StringConstraints(min_length=1, max_length=254)]
    # argon2 hashes any length; the bound keeps a check's cost bounded.
    password: Annotated[str, StringConstraints(min_length=1, max_length=1024)]


class PasswordChange(_Request):
    current_password: Annotated[str, StringConstraints(min_length=1, max_length=1024)]
    new_password: Annotated[str, StringConstraints(min_length=MINIMUM_LENGTH, max_length=MAXIMUM_LENGTH)]


class TenantOut(BaseModel):
    id: str
    name: str


class OtlpAddresses(BaseModel):
    http: Annotated[str, Field(description="Base URL of OTLP over HTTP.", examples=["http://127.0.0.1:4318"])]
    grpc: Annotated[str, Field(description="host:port of OTLP over gRPC.", examples=["127.0.0.1:4317"])]


class Me(BaseModel):
    email: str
    tenant: TenantOut
    roles: list[str]
    otlp: Annotated[OtlpAddresses | None, Field(description="Where to send telemetry; null when not configured.")]


class NewApiKey(_Request):
    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80)]
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=2)]


class ApiKeyOut(BaseModel):
    key_id: str
    name: str
    scopes: list[Scope]
    created_by: str
    created_at_unix_nano: str
    last_used_unix_nano: Annotated[str | None, Field(description="To a few minutes; null when never seen.")]


class ApiKeyList(BaseModel):
    api_keys: list[ApiKeyOut]


class CreatedApiKey(ApiKeyOut):
    key: Annotated[str, Field(description="The key itself. It is shown this once and kept nowhere.")]


class KeyUses(_Request):
    uses: Annotated[dict[str, int], Field(max_length=200_000, description="Unix seconds of the last use by key id.")]
