"""API keys: their form."""

import re

from hypothesis import given
from hypothesis import strategies as st

from libs.common.auth.api_keys import ApiKey, generate_api_key, hash_api_key, parse_key_id
from libs.common.structured_logging import redact


def test_a_key_has_its_form_and_depends_on_the_randomness_alone() -> None:
    key, text = generate_api_key(
        tenant="acme", name="ci", scopes=["read"], random_bytes=lambda count: bytes(range(count))
    )
    assert text == "airis_aaaqeayeauda_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
    assert key == ApiKey("aaaqeayeauda", "acme", "ci", frozenset({"read"}))
    assert hash_api_key(text) == "7b273bf5d9176c6cfb2b02bc8211bf475b17c57093a2b5f3ed84fd2904c60470"


@given(st.binary(min_size=32, max_size=32))
def test_every_key_parses_and_is_redacted_in_logs(randomness: bytes) -> None:
    key, text = generate_api_key(
        tenant="acme", name="ci", scopes=["read"], random_bytes=lambda count: randomness[:count]
    )
    assert parse_key_id(text) == key.key_id
    assert re.fullmatch(r"airis_[a-z2-7]{12}_[A-Za-z0-9_-]{43}", text)
    line = str(redact(None, "info", {"event": f"got {text} from a client"})["event"])
    assert text not in line
    assert key.key_id in line


@given(st.text(max_size=80))
def test_other_texts_are_no_keys(text: str) -> None:
    assert parse_key_id(text) is None
    assert len(hash_api_key(text)) == 64
