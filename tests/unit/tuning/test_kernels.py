"""The fast dropout and attention do what torch's own do."""

import pytest
import torch
import transformers

from tuning import kernels


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("probability", [0.1, 0.5])
def test_dropout_zeroes_its_share_and_scales_the_others(dtype: torch.dtype, probability: float) -> None:
    torch.manual_seed(0)
    values = torch.ones(400, 500, dtype=dtype, requires_grad=True)
    found = kernels.dropout(values, probability)
    kept = found != 0
    exact = round(probability * 256) / 256
    assert kept.float().mean().item() == pytest.approx(1 - exact, abs=0.005)
    assert found[kept].unique().tolist() == pytest.approx([1 / (1 - exact)], rel=0.01)
    found.sum().backward()
    assert values.grad is not None
    assert torch.equal(values.grad, found.detach()), "the same numbers are zeroed on the way back"
    assert not torch.equal(kernels.dropout(values, probability), found), "others the next time"
    torch.manual_seed(0)
    assert torch.equal(kernels.dropout(values, probability), found), "the same with the same seed"


def test_neighbours_are_dropped_independently() -> None:
    torch.manual_seed(1)
    kept = (kernels.dropout(torch.ones(1 << 20), 0.5) != 0).float() - 0.5
    for distance in (1, 2, 4, 7, 8, 16):
        assert abs((kept[:-distance] * kept[distance:]).mean().item()) < 0.001


@pytest.mark.parametrize("probability", [0.0, 0.001, 1.0])
def test_a_probability_that_a_byte_cannot_say_is_left_to_torch(probability: float) -> None:
    values = torch.ones(1000)
    assert torch.isin(kernels.dropout(values, probability), torch.tensor([0.0, 1 / (1 - probability + 1e-12)])).all()


@pytest.mark.parametrize("architecture", ["Bert", "GPT2", "Roberta"])
@pytest.mark.parametrize("grad", [False, True])
def test_a_model_with_them_answers_as_with_transformers_own(architecture: str, grad: bool) -> None:
    torch.manual_seed(2)
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
    config = getattr(transformers, f"{architecture}Config")(vocab_size=50, pad_token_id=0, **sizes)
    model = getattr(transformers, f"{architecture}ForSequenceClassification")(config).eval()
    model.set_attn_implementation("eager")
    ids = torch.randint(1, 50, (3, 12))
    mask = torch.ones_like(ids)
    ids[0, 8:], mask[0, 8:] = 0, 0
    with torch.set_grad_enabled(grad):
        before = model(input_ids=ids, attention_mask=mask).logits
        kernels.install(model)
        assert model.config._attn_implementation == kernels.ATTENTION
        assert any(isinstance(module, kernels.Dropout) for module in model.modules())
        assert torch.allclose(model(input_ids=ids, attention_mask=mask).logits, before, atol=1e-5)


def test_nothing_of_them_is_saved(tmp_path: object) -> None:
    config = transformers.BertConfig(hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8)
    model = transformers.BertForSequenceClassification(config)
    kernels.install(model)
    model.save_pretrained(tmp_path)
    assert "evergreen" not in (tmp_path / "config.json").read_text()  # type: ignore[operator]
