"""The lab's authority: one to a folder, keys kept to their owner, and the command that issues certificates."""

import json
import ssl
import stat
import threading
from pathlib import Path

import pytest

from experiments.harness.cli import main
from nodes.http.authority import Leaf, issue
from nodes.http.failure import Failure


def names_of(certificate: Path) -> set[str]:
    context = ssl.create_default_context(cafile=certificate)
    decoded = ssl._ssl._test_decode_cert(str(certificate))  # type: ignore[attr-defined]
    assert context is not None
    return {value for _, value in decoded["subjectAltName"]}


def test_a_leaf_is_for_all_its_names_and_addresses(tmp_path: Path) -> None:
    leaf = issue(tmp_path / "new", ["edge1.az1.mumbai", "*.lab.example", "10.0.0.1", "::1"])
    assert leaf.certificate.name == "edge1.az1.mumbai.pem"
    assert names_of(leaf.certificate) == {"edge1.az1.mumbai", "*.lab.example", "10.0.0.1", "0:0:0:0:0:0:0:1"}


def test_a_folder_has_one_authority_and_issuing_again_keeps_it(tmp_path: Path) -> None:
    before = issue(tmp_path, ["a"]).authority.read_bytes()
    assert issue(tmp_path, ["b"]).authority.read_bytes() == before


def test_keys_are_their_owners_alone(tmp_path: Path) -> None:
    leaf = issue(tmp_path, ["a"])
    for key in (leaf.key, tmp_path / "ca.key"):
        assert stat.S_IMODE(key.stat().st_mode) == 0o600


def test_a_host_called_ca_does_not_replace_the_authority(tmp_path: Path) -> None:
    before = issue(tmp_path, ["a"]).authority.read_bytes()
    leaf = issue(tmp_path, ["ca"])
    assert leaf.certificate != leaf.authority
    assert leaf.authority.read_bytes() == before


def test_a_name_never_leads_out_of_the_folder(tmp_path: Path) -> None:
    with pytest.raises(Failure):
        issue(tmp_path / "ca", ["../../x"])
    assert {path.name for path in tmp_path.iterdir()} == {"ca"}


def test_daemons_that_start_at_once_share_one_authority(tmp_path: Path) -> None:
    made: list[Leaf] = []
    threads = [threading.Thread(target=lambda n=n: made.append(issue(tmp_path, [f"n{n}"]))) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for leaf in made:
        ssl.create_default_context(cafile=leaf.authority)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(leaf.certificate, leaf.key)
    assert len(made) == 6
    assert len({json.dumps(ssl._ssl._test_decode_cert(str(one.certificate))["issuer"]) for one in made}) == 1  # type: ignore[attr-defined]


@pytest.mark.parametrize("names", [[], ["not a name!"], [""]])
def test_what_cannot_be_named_is_told(tmp_path: Path, names: list[str]) -> None:
    with pytest.raises(Failure, match="could not issue a certificate"):
        issue(tmp_path, names)


def test_half_an_authority_is_not_replaced(tmp_path: Path) -> None:
    issue(tmp_path, ["a"])
    (tmp_path / "ca.key").unlink()
    with pytest.raises(Failure, match=r"could not issue a certificate in .*: no such file"):
        issue(tmp_path, ["b"])


def test_the_command_writes_files_and_says_which(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lab-ca", str(tmp_path), "edge1", "127.0.0.1", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said == {"authority": str(tmp_path / "ca.pem"), "certificate": str(tmp_path / "edge1.pem"),
                    "key": str(tmp_path / "edge1.key")}  # fmt: skip
    assert all(Path(path).exists() for path in said.values())


def test_the_command_refuses_in_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lab-ca", str(tmp_path), "x", "--lifetime", "30"]) == 2
    assert "'30' has no unit" in capsys.readouterr().err
    assert main(["lab-ca", str(tmp_path), "a b"]) == 2
    assert "longhaul: could not issue a certificate" in capsys.readouterr().err
