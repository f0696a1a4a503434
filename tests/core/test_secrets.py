"""Secrets are hidden by value, whatever they are written as."""

from __future__ import annotations

import base64
import html
import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tts.core.errors import EngineError, UserError
from tts.core.secrets import Secrets
from tts.core.setting_error import SettingError

PRINTABLE = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=16, max_size=40)


@given(PRINTABLE, st.text(max_size=20), st.text(max_size=20))
def test_a_secret_is_hidden_in_every_form(secret: str, before: str, after: str) -> None:
    secrets = Secrets({"extra_body": {"api_key": secret}})
    shown = secrets.hide(before + secret + after)
    assert secret not in shown or secret in "(hidden)"
    for form in (json.dumps(secret)[1:-1], quote(secret, safe=""), html.escape(secret), secret.encode().hex()):
        assert form not in secrets.hide(f"x {form} y")
    for header in (f"Bearer {secret}", f"user:{secret}", f"a:{secret}", secret):
        code = base64.b64encode(header.encode()).decode()
        shown = secrets.hide(code)
        # What is left of it tells at most the parts of characters at its ends.
        assert max((len(part) for part in shown.split("(hidden)") if part in code[-4:]), default=0) <= 4
        assert "(hidden)" in shown


@given(PRINTABLE)
def test_the_body_of_an_answer_is_cleaned_whatever_it_escapes(secret: str) -> None:
    secrets = Secrets({"headers": {"Authorization": f"Bearer {secret}"}})
    escaped = "".join(f"\\u{ord(character):04x}" for character in secret)
    body = json.dumps({"text": "\\"}).encode() + f' "{escaped}" {json.dumps(secret)}'.encode()
    shown = secrets.hide_in(body).decode()
    assert secret not in shown
    assert escaped not in shown


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig"])
def test_the_body_of_an_answer_is_cleaned_whatever_unicode_it_is_in(encoding: str) -> None:
    secret = "sk-0123456789abcdef"
    shown = Secrets({"api_key": secret}).hide_in(json.dumps({"text": f"it is {secret}"}).encode(encoding))
    assert secret not in json.loads(shown)["text"]
    assert "(hidden)" in json.loads(shown)["text"]


@given(st.binary(max_size=300))
def test_a_body_without_secrets_stays_as_it_is(body: bytes) -> None:
    assert Secrets({"api_key": "sk-0123456789abcdef"}).hide_in(body) == body


@given(st.text())
def test_a_text_without_secrets_stays_as_it_is(text: str) -> None:
    assert Secrets({"api_key": "sk-0123456789abcdef"}).hide(text) == text


@pytest.mark.parametrize("name", ["MY_API_KEY", "HF_TOKEN", "AWS_SECRET_ACCESS_KEY", "DB_PASSWORD", "OPENAI_API_KEY"])
def test_variables_that_hold_secrets_are_known_by_their_names(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, " value-of-it\n")
    assert Secrets().hide("the value-of-it") == f"the (${name})"


@pytest.mark.parametrize("name", ["TOKENIZERS_PARALLELISM", "KEYBOARD", "HOME2", "MONKEY"])
def test_other_variables_are_no_secrets(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "value-of-it")
    assert Secrets().hide("the value-of-it") == "the value-of-it"


def test_a_variable_that_a_setting_names_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINE", "value-of-it")
    assert Secrets({"policy": {"engine": {"api_key_env": "MINE"}}}).hide("value-of-it") == "($MINE)"


@pytest.mark.parametrize("value", ["EMPTY", "ollama", "unused", "123456", "000000000000000"])
def test_words_and_numbers_stay_in_texts(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", value)
    secrets = Secrets({"api_key": value, "api_key_env": "OPENAI_API_KEY"})
    assert secrets.hide(f"x {value} y") == f"x {value} y"
    # In a server's error a word too many may be hidden.
    assert value not in Secrets({"api_key_env": "OPENAI_API_KEY"}, shortest=1).hide(f"x {value} y")


@pytest.mark.parametrize("value", ["k", "x", "-", "to"])
def test_the_shortest_are_hidden_as_words_only(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", value)
    secrets = Secrets({"api_key_env": "OPENAI_API_KEY"}, shortest=1)
    assert secrets.hide(f"Incorrect key '{value}': {value}") == "Incorrect key '($OPENAI_API_KEY)': ($OPENAI_API_KEY)"
    assert (
        secrets.hide("max_tokens and top_k are refused with 78, 6b") == "max_tokens and top_k are refused with 78, 6b"
    )


@pytest.mark.parametrize("kind", [UserError, EngineError, lambda said: SettingError("base_url", said)])
def test_errors_show_no_passwords_of_urls(kind: type[Exception]) -> None:
    said = str(kind("http://me:pass@host:1/v1 and https://me@host do not answer; a@b, http://host/@x do"))
    assert said.endswith("http://(hidden)@host:1/v1 and https://(hidden)@host do not answer; a@b, http://host/@x do")


@pytest.mark.parametrize(
    "config",
    [
        *({name: "pa5s-of-mine"} for name in ("apiKey", "accessToken", "clientSecret", "auth", "pwd", "x-api-key")),
        *({name: ["one-of-it", "pa5s-of-mine"]} for name in ("api_keys", "secrets")),
        {"api_keys": {"main": {"of": "pa5s-of-mine"}}},
        {"headers": {"x-header": "bearer pa5s-of-mine"}},
        {"base_url": "http://host/v1?a=b&api_key=pa5s-of-mine"},
        {"base_url": ["http://host/v1", "http://pa5s-of-mine@host/v1"]},
        {"base_url": "me:pa5s-of-mine@host/v1"},
        {"base_url": r"http:\\me:pa5s-of-mine@host/v1"},
    ],
)
def test_a_setting_that_holds_one_is_known_by_its_name_or_its_form(config: dict[str, object]) -> None:
    assert "pa5s-of-mine" not in Secrets({"policy": {"engine": {"extra_body": config}}}).hide("the pa5s-of-mine")


@pytest.mark.parametrize("name", ["author", "max_tokens", "stop_tokens", "keys", "tokenizer", "path"])
def test_other_settings_hold_none(name: str) -> None:
    assert Secrets({name: "value-of-it"}).hide("the value-of-it") == "the value-of-it"


@pytest.mark.parametrize("name", ["PWD", "SSH_AUTH_SOCK"])
def test_variables_of_the_shell_are_no_secrets(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "/home/value-of-it")
    assert Secrets().hide("the /home/value-of-it") == "the /home/value-of-it"


@pytest.mark.parametrize("proxy", ["http://me:pa5s-of-mine@host:1", "me:pa5s-of-mine@host:1"])
def test_the_password_of_a_proxy_is_one(proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    assert "pa5s-of-mine" not in Secrets().hide("the pa5s-of-mine")


def test_a_password_may_hold_an_at_sign() -> None:
    assert str(UserError("http://me:one@two@host/v1?mail=a@b")) == "http://(hidden)@host/v1?mail=a@b"
