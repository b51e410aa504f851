"""What people paste for a model's place."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference import address
from inference.address import Repository, WebFolder
from inference.errors import DownloadFailed

NER = "Jean-Baptiste/camembert-ner"
DETR = "facebook/detr-resnet-50"
SHA = "1d5f47bd3bdef8a9bbfa576fb3528f5b24cd22b4"


@pytest.mark.parametrize(
    ("text", "name", "revision"),
    [
        ("https://huggingface.co/gpt2", "gpt2", None),
        ("http://huggingface.co/gpt2/", "gpt2", None),
        (f"https://huggingface.co/{NER}", NER, None),
        (f"https://huggingface.co/{NER}?library=transformers", NER, None),
        (f"https://huggingface.co/{NER}#usage", NER, None),
        (f"  <https://huggingface.co/{NER}>  ", NER, None),
        (f'"{NER}"', NER, None),
        (f"https://huggingface.co/{NER}.git", NER, None),
        (f"git@hf.co:{NER}.git", NER, None),
        (f"git clone https://huggingface.co/{NER}", NER, None),
        (f"hf download {NER}", NER, None),
        (f"huggingface-cli download {NER}", NER, None),
        (f'AutoModel.from_pretrained("{NER}")', NER, None),
        (f"https://huggingface.co/api/models/{NER}", NER, None),
        (f"https://huggingface.co/api/models/{NER}/revision/v2", NER, "v2"),
        (f"https://huggingface.co/{DETR}/tree/no_timm", DETR, "no_timm"),
        (f"https://huggingface.co/{DETR}/tree/no_timm/", DETR, "no_timm"),
        (f"https://huggingface.co/{DETR}/tree/main", DETR, "main"),
        (f"https://huggingface.co/{DETR}/commit/{SHA}", DETR, SHA),
        (f"https://huggingface.co/{DETR}/commits/main", DETR, "main"),
        (f"https://huggingface.co/{DETR}/blob/no_timm/config.json", DETR, "no_timm"),
        (f"https://huggingface.co/{DETR}/resolve/{SHA}/model.safetensors?download=true", DETR, SHA),
        (f"https://huggingface.co/{DETR}/raw/main/config.json", DETR, "main"),
        (f"https://huggingface.co/{DETR}/discussions/3", DETR, None),
        ("https://huggingface.co/gpt2/resolve/main/config.json", "gpt2", "main"),
        ("https://huggingface.co/gpt2/tree/refs%2Fpr%2F1", "gpt2", "refs/pr/1"),
        ("https://huggingface.co/gpt2/tree/refs/pr/1", "gpt2", "refs/pr/1"),
        ("https://huggingface.co/gpt2/blob/refs%2Fpr%2F1/config.json", "gpt2", "refs/pr/1"),
        (" huggingface.co/gpt2?library=transformers ", "gpt2", None),
        ("hf.co/gpt2", "gpt2", None),
        ("https://hf.co/gpt2", "gpt2", None),
        ("https://www.huggingface.co/gpt2", "gpt2", None),
        ("gpt2", "gpt2", None),
        (NER, NER, None),
        (f"{NER}@v2", NER, "v2"),
        (f"hf://{NER}", NER, None),
        (f"hf://models/{NER}", NER, None),
        (f"hf://{NER}@v2", NER, "v2"),
        (f"hf://{NER}@v2/config.json", NER, "v2"),
        (f"hf://{NER}/config.json", NER, None),
        (f"hf://{NER}@refs%2Fpr%2F1", NER, "refs/pr/1"),
        (f"hf://{NER}@refs/pr/1", NER, "refs/pr/1"),
    ],
)
def test_models_of_the_hub(text: str, name: str, revision: str | None) -> None:
    assert address.parse(text) == Repository(name, revision)


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://models.example.com/ner", "https://models.example.com/ner/"),
        ("https://models.example.com/ner/", "https://models.example.com/ner/"),
        ("https://models.example.com/ner/?C=N;O=D", "https://models.example.com/ner/"),
        ("https://models.example.com/ner/index.html", "https://models.example.com/ner/"),
        ("https://models.example.com/ner/config.json", "https://models.example.com/ner/"),
        ("http://10.0.0.7:8080/a/b", "http://10.0.0.7:8080/a/b/"),
        ("models.example.com/ner", "https://models.example.com/ner/"),
        ("https://huggingface.co.evil.example/gpt2", "https://huggingface.co.evil.example/gpt2/"),
    ],
)
def test_web_folders(text: str, url: str) -> None:
    assert address.parse(text) == WebFolder(url)


@pytest.mark.parametrize(
    "text",
    [
        "https://huggingface.co/",
        "https://huggingface.co/datasets/sst5",
        "https://huggingface.co/spaces/a/b",
        "https://huggingface.co/a/b/c/d",
        "https://huggingface.co/models",
        "a/b/c",
        "../gpt2",
        "a/..",
        "",
        "hf://datasets/a/b",
        "ftp://example.com/model",
        "file:///etc",
        "https://",
        "https://exa mple.com/x",
        "https://[::1/x",
        "localhost:8000/model",
    ],
)
def test_what_names_no_model(text: str) -> None:
    with pytest.raises(DownloadFailed, match=r"Give model_url as https://huggingface\.co/owner/name"):
        address.parse(text)


def test_a_folder_inside_a_repository() -> None:
    with pytest.raises(DownloadFailed, match="names the folder onnx inside a repository"):
        address.parse(f"https://huggingface.co/{DETR}/tree/main/onnx")


def test_a_password_in_an_address_is_refused_and_not_shown() -> None:
    with pytest.raises(DownloadFailed, match=r"~/\.netrc") as caught:
        address.parse("https://me:verysecret@models.example.com/ner")
    assert "verysecret" not in str(caught.value)
    with pytest.raises(DownloadFailed) as caught:
        address.parse("ftp://me:verysecret@models.example.com/ner?token=alsosecret")
    assert "secret" not in str(caught.value)


def test_a_mirror_is_the_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "https://mirror.example.com/api/hub/")
    assert address.endpoint() == "https://mirror.example.com/api/hub"
    assert address.parse(f"https://mirror.example.com/api/hub/{NER}/tree/v2") == Repository(NER, "v2")
    assert address.parse(f"https://huggingface.co/{NER}") == Repository(NER)
    assert address.parse("https://mirror.example.com/files/ner") == WebFolder("https://mirror.example.com/files/ner/")
    monkeypatch.setenv("HF_ENDPOINT", "")
    assert address.endpoint() == "https://huggingface.co"


def test_the_settings_together() -> None:
    assert address.chosen(None, None, "v2") is None
    assert address.chosen("", " ", None) is None
    assert address.chosen(f"https://huggingface.co/{NER}", None, "v2") == Repository(NER, "v2")
    assert address.chosen(f"https://huggingface.co/{NER}/tree/v1", None, "v2") == Repository(NER, "v2")
    assert address.chosen(None, NER, None) == Repository(NER)
    assert address.chosen(f"https://huggingface.co/{NER}", NER, None) == Repository(NER)
    with pytest.raises(DownloadFailed, match=r"name two models\. Set one of them"):
        address.chosen("https://huggingface.co/gpt2", NER, None)
    with pytest.raises(DownloadFailed, match=r"has no revisions\. Leave the setting revision out"):
        address.chosen("https://models.example.com/ner", None, "v2")
    with pytest.raises(DownloadFailed, match="is no owner/name"):
        address.chosen(None, "https://models.example.com/ner", None)


PIECES = st.sampled_from(
    [
        "https://",
        "http://",
        "hf://",
        "huggingface.co",
        "hf.co",
        "/",
        "//",
        "..",
        "@",
        ":",
        "?",
        "#",
        "%2f",
        "%2e%2e",
        "tree",
        "blob",
        "resolve",
        "refs/pr/1",
        "main",
        "gpt2",
        "a-b",
        "[",
        "]",
        "\\",
        "\x00",
        "git@hf.co:",
        ".git",
        "é",
        "80",
        " ",
        "\n",
    ]
)


@given(st.lists(PIECES | st.text(max_size=5), max_size=10).map("".join))
@settings(max_examples=500, deadline=None)
def test_any_text_is_an_address_or_refused(text: str) -> None:
    try:
        found = address.parse(text)
    except DownloadFailed as error:
        assert str(error).endswith((".", ")."))
        return
    if isinstance(found, Repository):
        assert ".." not in found.name and found.name.count("/") <= 1 and not set(found.name) & set("\\\0\n @?#%")
    else:
        assert found.url.startswith(("http://", "https://")) and found.url.endswith("/") and "?" not in found.url
