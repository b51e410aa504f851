"""What a path in a request means, and which may be used."""

from pathlib import Path

import pytest

import paths


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EVERGREEN_ROOT", str(tmp_path))
    (tmp_path / "misc").mkdir()
    (tmp_path / "src" / "model").mkdir(parents=True)
    return tmp_path


def test_the_containers_paths_mean_the_projects_root(root: Path) -> None:
    assert paths.from_container("/irisdev/app/misc/a.jpg") == root / "misc/a.jpg"
    assert paths.from_container("/irisdev/app") == root
    assert paths.from_container("misc/a.jpg") == root / "misc/a.jpg"
    assert paths.from_container("/irisdev/application") == Path("/irisdev/application")


def test_what_lies_in_an_allowed_folder_may_be_used(root: Path) -> None:
    assert paths.checked("/irisdev/app/misc/a.jpg") == root / "misc/a.jpg"
    assert paths.checked("src/model/checkpoints") == root / "src/model/checkpoints"


@pytest.mark.parametrize(
    "text", ["/etc/passwd", "/irisdev/app/misc/../secret", "../x", "misc/../../x", "a\0b", "/irisdev/app"]
)
def test_everything_else_is_refused_with_what_to_do(root: Path, text: str) -> None:
    with pytest.raises(paths.PathNotAllowed):
        paths.checked(text)


def test_a_link_that_leads_out_is_followed_first(root: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    (root / "misc" / "link").symlink_to(tmp_path_factory.mktemp("outside"))
    with pytest.raises(paths.PathNotAllowed, match="EVERGREEN_ALLOWED_PATHS"):
        paths.checked("misc/link/x")


def test_further_folders_can_be_allowed(root: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch) -> None:
    extra = tmp_path_factory.mktemp("extra")
    monkeypatch.setenv("EVERGREEN_ALLOWED_PATHS", str(extra))
    assert paths.checked(str(extra / "x")) == extra / "x"
