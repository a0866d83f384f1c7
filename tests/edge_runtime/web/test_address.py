from __future__ import annotations

import stat
from pathlib import Path

import pytest

from fer_edge.errors import FerError, UsageError
from fer_edge.web import tokens
from fer_edge.web.address import Address
from fer_edge.web.rates import Rates


@pytest.mark.parametrize(
    ("text", "host", "port", "loopback"),
    [
        ("127.0.0.1:8080", "127.0.0.1", 8080, True),
        ("localhost:80", "localhost", 80, True),
        ("[::1]:8080", "::1", 8080, True),
        ("9000", "127.0.0.1", 9000, True),
        (":9000", "127.0.0.1", 9000, True),
        ("pi.local", "pi.local", 8080, False),
        ("0.0.0.0:0", "0.0.0.0", 0, False),
        ("[::]:8080", "::", 8080, False),
        ("127.0.0.2:8080", "127.0.0.2", 8080, False),
        ("[fe80::1%eth0]:80", "fe80::1%eth0", 80, False),
    ],
)
def test_addresses_and_who_gets_there(text: str, host: str, port: int, loopback: bool) -> None:
    address = Address.parse(text)
    assert (address.host, address.port, address.is_loopback) == (host, port, loopback)


@pytest.mark.parametrize(
    "text", ["", "::1", "a:b", "host:99999", "http://host:80", "a b:80", "[::1", "host:80/x", "u@h:1"]
)
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(UsageError, match=r"is no HOST:PORT: give one such as 127\.0\.0\.1:8080 or \[::1\]:8080$"):
        Address.parse(text)


def test_what_a_person_opens() -> None:
    assert Address.parse("[::1]:1").url(8080, tls=True, token=None) == "https://[::1]:8080/"
    assert Address.parse("pi:1").url(80, tls=False, token="abc") == "http://pi:80/?token=abc"
    for everywhere in ("0.0.0.0:1", "[::]:1"):
        assert "0.0.0.0" not in (url := Address.parse(everywhere).url(80, tls=False, token=None))
        assert "[::]" not in url


def test_tokens_are_long_and_never_the_same() -> None:
    made = {tokens.made() for _ in range(100)}
    assert len(made) == 100
    assert min(map(len, made)) >= 32


def test_a_token_is_the_first_line_of_its_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "token"
    path.write_text("0123456789abcdef\nsecond line\n")
    path.chmod(0o600)
    assert tokens.read(path) == "0123456789abcdef"
    assert capsys.readouterr().err == ""
    path.chmod(stat.S_IRUSR | stat.S_IROTH)
    tokens.read(path)
    assert capsys.readouterr().err == f"warning: others can read the token in {path}: chmod 600 {path}\n"


@pytest.mark.parametrize("text", ["short\n", "0123456789abcde f\n", "\n0123456789abcdef\n", "0123456789abcdé\xff\n"])
def test_what_is_no_token(tmp_path: Path, text: str) -> None:
    path = tmp_path / "token"
    path.write_text(text)
    with pytest.raises(UsageError, match=r"^the first line of .* is no token: give 16 to 256 letters"):
        tokens.read(path)


def test_a_token_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FerError, match=r"cannot read token file .*: No such file"):
        tokens.read(tmp_path / "none")


def test_a_client_gets_so_much_at_once_and_more_with_time() -> None:
    now = [100.0]
    rates = Rates(3, 0.5, lambda: now[0])
    assert [rates.take("a") for _ in range(5)] == [True, True, True, False, False]
    assert rates.spent("a")
    assert not rates.spent("b")
    now[0] += 2
    assert [rates.take("a") for _ in range(2)] == [True, False]
    now[0] += 1000
    assert [rates.take("a") for _ in range(4)] == [True, True, True, False]


def test_clients_without_number_take_no_memory_without_bound() -> None:
    rates = Rates(1, 0.0)
    assert rates.take("first")
    for number in range(10_000):
        rates.take(str(number))
    assert len(rates._left) <= 4096
