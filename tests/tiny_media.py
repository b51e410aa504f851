"""Tiny models that see, hear, watch, read pages and tables, speak and decide: a few kilobytes each, for every task.

`tiny_models.build` writes them; `sound` and `film` make what they are asked about.
"""

import io
import json
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import tiny_models as tiny

RATE_HZ = 16_000
LABELS = {0: "cat", 1: "remote", 2: "couch"}
CHAT = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<image>{% elif part['type'] == 'audio' %}<|audio_bos|><|AUDIO|><|audio_eos|>"
    "{% else %}{{ part['text'] }}{% endif %}{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
_SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<image>", "<|audio_bos|>", "<|AUDIO|>", "<|audio_eos|>")
_TINY = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
_NAMED = {"id2label": LABELS, "label2id": {name: number for number, name in LABELS.items()}}


def sound(seconds: float = 0.5, rate_hz: int = RATE_HZ, kind: str = "WAV", channels: int = 1) -> bytes:
    """A chord that fades, as a sound file of `kind` (WAV, FLAC, OGG, MP3)."""
    import numpy as np
    import soundfile

    at_s = np.arange(round(seconds * rate_hz)) / rate_hz
    chord = sum(np.sin(2 * np.pi * hertz * at_s) for hertz in (220, 277, 330)) / 4 * np.exp(-2 * at_s)
    buffer = io.BytesIO()
    soundfile.write(buffer, np.repeat(chord[:, None], channels, axis=1), rate_hz, format=kind)
    return buffer.getvalue()


def film(frames: int = 12, width: int = 64, height: int = 48, kind: str = "mp4", codec: str = "mpeg4") -> bytes:
    """A square that wanders over a grey ground, 10 pictures in a second."""
    import av
    import numpy as np

    buffer = io.BytesIO()
    with av.open(buffer, "w", format=kind) as container:
        stream = container.add_stream(codec, rate=10)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for number in range(frames):
            picture = np.full((height, width, 3), 90, dtype=np.uint8)
            picture[8:24, 2 * number : 2 * number + 16] = (230, 160, 0)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return buffer.getvalue()


def _bpe(**settings: Any) -> Any:
    """A byte-level tokenizer that knows the lines of the tiny models, the labels of decisions, and a chat's marks."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers
    from transformers import GPT2Tokenizer

    trained = Tokenizer(models.BPE())
    trained.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(
        vocab_size=400, initial_alphabet=alphabet, special_tokens=list(_SPECIAL), show_progress=False
    )
    trained.train_from_iterator([*tiny.LINES, *["Yes No"] * 40, *["Yes", "No"] * 40], trainer)
    parts = json.loads(trained.to_str())["model"]
    tokenizer = GPT2Tokenizer(
        vocab=parts["vocab"],
        merges=[tuple(pair) for pair in parts["merges"]],
        pad_token="<|endoftext|>",
        additional_special_tokens=list(_SPECIAL[1:]),
        **settings,
    )
    tokenizer.chat_template = CHAT
    return tokenizer


def _wordpieces(model_max_length: int = 512) -> Any:
    from transformers import BertTokenizer

    words = tiny._words(line.lower() for line in tiny.LINES)
    letters = [letter for letter in tiny._LETTERS if not letter.isupper()]
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{one}" for one in letters), *words]
    vocabulary = {piece: number for number, piece in enumerate(dict.fromkeys(pieces))}
    return BertTokenizer(vocab=vocabulary, do_lower_case=True, model_max_length=model_max_length)


def _nli() -> tuple[Any, ...]:
    from transformers import BertConfig, BertForSequenceClassification

    tokenizer = _wordpieces()
    names = ("contradiction", "neutral", "entailment")
    config = BertConfig(
        vocab_size=len(tokenizer),
        **_TINY,
        id2label=dict(enumerate(names)),
        label2id={n: i for i, n in enumerate(names)},
    )
    return BertForSequenceClassification(config), tokenizer


def _chat_gpt2() -> tuple[Any, ...]:
    from transformers import GPT2Config, GPT2LMHeadModel

    tokenizer = _bpe(model_max_length=512)
    config = GPT2Config(
        vocab_size=len(tokenizer), n_embd=32, n_layer=2, n_head=2, n_positions=512, eos_token_id=tokenizer.eos_token_id
    )
    return GPT2LMHeadModel(config), tokenizer


def _tapas() -> tuple[Any, ...]:
    from transformers import TapasConfig, TapasForQuestionAnswering, TapasTokenizer

    bert = _wordpieces()
    with TemporaryDirectory() as folder:
        file = Path(folder) / "vocab.txt"
        names = sorted(bert.get_vocab(), key=bert.get_vocab().get)
        file.write_text("\n".join([*names, "[EMPTY]"]), encoding="utf-8")
        tokenizer = TapasTokenizer(str(file), model_max_length=128, cell_trim_length=-1)
    config = TapasConfig(
        vocab_size=len(tokenizer),
        **_TINY,
        num_aggregation_labels=4,
        aggregation_labels={0: "NONE", 1: "SUM", 2: "AVERAGE", 3: "COUNT"},
        max_position_embeddings=128,
    )
    return TapasForQuestionAnswering(config), tokenizer


def _layoutlm() -> tuple[Any, ...]:
    from transformers import LayoutLMConfig, LayoutLMForQuestionAnswering

    tokenizer = _wordpieces()
    return LayoutLMForQuestionAnswering(LayoutLMConfig(vocab_size=len(tokenizer), **_TINY)), tokenizer


def _vit() -> tuple[Any, ...]:
    from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessorPil

    config = ViTConfig(**_TINY, image_size=32, patch_size=8, **_NAMED)
    return ViTForImageClassification(config), ViTImageProcessorPil(size={"height": 32, "width": 32})


def _clip_sizes() -> dict[str, Any]:
    return {
        "text_config": {
            **_TINY,
            "vocab_size": 407,
            "max_position_embeddings": 64,
            "eos_token_id": 0,
            "bos_token_id": 0,
        },
        "vision_config": {**_TINY, "image_size": 32, "patch_size": 8},
        "projection_dim": 16,
    }


def _clip() -> tuple[Any, ...]:
    from transformers import CLIPConfig, CLIPImageProcessorPil, CLIPModel

    tokenizer = _bpe(model_max_length=64)
    sizes = _clip_sizes()
    sizes["text_config"] |= {"vocab_size": len(tokenizer), "eos_token_id": tokenizer.eos_token_id}
    processor = CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    return CLIPModel(CLIPConfig(**sizes)), tokenizer, processor


def _owlvit() -> tuple[Any, ...]:
    from transformers import OwlViTConfig, OwlViTForObjectDetection, OwlViTImageProcessorPil

    tokenizer = _bpe(model_max_length=16)
    sizes = _clip_sizes()
    sizes["projection_dim"] = sizes["text_config"]["hidden_size"]
    sizes["text_config"] |= {"vocab_size": len(tokenizer), "max_position_embeddings": 16, "pad_token_id": 0}
    processor = OwlViTImageProcessorPil(
        size={"height": 32, "width": 32}, crop_size={"height": 32, "width": 32}, do_center_crop=False
    )
    tokenizer.padding_side = "right"
    return OwlViTForObjectDetection(OwlViTConfig(**sizes)), tokenizer, processor


def _dpt() -> tuple[Any, ...]:
    from transformers import DPTConfig, DPTForDepthEstimation, DPTImageProcessorPil

    config = DPTConfig(
        **{**_TINY, "num_hidden_layers": 4},
        image_size=32,
        patch_size=8,
        backbone_out_indices=[0, 1, 2, 3],
        neck_hidden_sizes=[8, 8, 16, 16],
        fusion_hidden_size=16,
        is_hybrid=False,
    )
    return DPTForDepthEstimation(config), DPTImageProcessorPil(size={"height": 32, "width": 32})


def _sam() -> tuple[Any, ...]:
    from transformers import SamConfig, SamImageProcessorPil, SamModel

    config = SamConfig(
        vision_config={
            "hidden_size": 16, "output_channels": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": 64,
            "patch_size": 8, "window_size": 4, "global_attn_indexes": [1], "num_pos_feats": 4, "mlp_dim": 32,
        },
        prompt_encoder_config={"hidden_size": 8, "image_size": 64, "patch_size": 8, "mask_input_channels": 4},
        mask_decoder_config={
            "hidden_size": 8, "mlp_dim": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "iou_head_hidden_dim": 8,
        },
    )  # fmt: skip
    processor = SamImageProcessorPil(
        size={"longest_edge": 64},
        pad_size={"height": 64, "width": 64},
        mask_size={"longest_edge": 16},
        mask_pad_size={"height": 16, "width": 16},
    )
    return SamModel(config), processor


def _superglue() -> tuple[Any, ...]:
    from transformers import SuperGlueConfig, SuperGlueForKeypointMatching, SuperGlueImageProcessorPil, SuperPointConfig

    points = SuperPointConfig(
        encoder_hidden_sizes=[8, 8, 16, 16], decoder_hidden_size=16, descriptor_decoder_dim=16, max_keypoints=24,
        keypoint_threshold=0.0, border_removal_distance=2,
    )  # fmt: skip
    config = SuperGlueConfig(
        keypoint_detector_config=points, hidden_size=16, keypoint_encoder_sizes=[8, 16], gnn_layers_types=["self", "cross"],
        num_attention_heads=2, sinkhorn_iterations=5, matching_threshold=0.0,
    )  # fmt: skip
    return SuperGlueForKeypointMatching(config), SuperGlueImageProcessorPil(size={"height": 48, "width": 64})


def _videomae() -> tuple[Any, ...]:
    from transformers import VideoMAEConfig, VideoMAEForVideoClassification, VideoMAEImageProcessorPil

    config = VideoMAEConfig(**_TINY, image_size=32, patch_size=8, num_frames=8, tubelet_size=2, **_NAMED)
    processor = VideoMAEImageProcessorPil(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    return VideoMAEForVideoClassification(config), processor


_CONVOLUTIONS = {"conv_dim": (16, 16), "conv_stride": (10, 8), "conv_kernel": (20, 16), "num_feat_extract_layers": 2}


def _wav2vec2(architecture: str, **settings: Any) -> tuple[Any, ...]:
    import transformers

    config = transformers.Wav2Vec2Config(
        **_TINY, **_CONVOLUTIONS, num_conv_pos_embeddings=4, num_conv_pos_embedding_groups=2, **settings
    )
    return getattr(transformers, architecture)(config), transformers.Wav2Vec2FeatureExtractor(sampling_rate=RATE_HZ)


def _wav2vec2_ctc() -> tuple[Any, ...]:
    from transformers import Wav2Vec2CTCTokenizer

    with TemporaryDirectory() as folder:
        file = Path(folder) / "vocab.json"
        pieces = ["<pad>", "<s>", "</s>", "<unk>", "|", *"ABCDEFGHIJKLMNOPQRSTUVWXYZ'"]
        file.write_text(json.dumps({piece: number for number, piece in enumerate(pieces)}), encoding="utf-8")
        tokenizer = Wav2Vec2CTCTokenizer(str(file))
    model, extractor = _wav2vec2("Wav2Vec2ForCTC", vocab_size=len(pieces), pad_token_id=0)
    return model, extractor, tokenizer


def _whisper() -> tuple[Any, ...]:
    from transformers import WhisperConfig, WhisperFeatureExtractor, WhisperForConditionalGeneration, WhisperTokenizer

    pieces = list(_bpe().get_vocab())
    marks = ["<|startoftranscript|>", "<|en|>", "<|transcribe|>", "<|notimestamps|>", "<|0.00|>"]
    vocabulary = {piece: number for number, piece in enumerate(dict.fromkeys(["<|endoftext|>", *pieces, *marks]))}
    tokenizer = WhisperTokenizer(vocab=vocabulary, merges=[], model_max_length=64)
    config = WhisperConfig(
        vocab_size=len(tokenizer), d_model=32, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2,
        decoder_attention_heads=2, encoder_ffn_dim=32, decoder_ffn_dim=32, num_mel_bins=16, max_source_positions=50,
        max_target_positions=64, decoder_start_token_id=1, bos_token_id=0, eos_token_id=0, pad_token_id=0,
        suppress_tokens=[], begin_suppress_tokens=[],
    )  # fmt: skip
    model = WhisperForConditionalGeneration(config)
    model.generation_config.update(max_length=16, suppress_tokens=None, begin_suppress_tokens=None)
    return model, WhisperFeatureExtractor(feature_size=16, sampling_rate=RATE_HZ, chunk_length=1), tokenizer


def _clap() -> tuple[Any, ...]:
    from transformers import ClapConfig, ClapFeatureExtractor, ClapModel, RobertaTokenizer

    byte_level = _bpe()
    vocabulary = {"<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": 3, "<mask>": 4}
    vocabulary |= {piece: number + 5 for number, piece in enumerate(byte_level.get_vocab()) if piece not in vocabulary}
    tokenizer = RobertaTokenizer(vocab=vocabulary, merges=[], model_max_length=62)
    config = ClapConfig(
        text_config={**_TINY, "vocab_size": len(vocabulary) + 8, "max_position_embeddings": 64, "projection_dim": 16},
        audio_config={
            "window_size": 4, "num_mel_bins": 16, "spec_size": 64, "patch_size": 4, "patch_stride": [4, 4],
            "hidden_size": 32, "patch_embeds_hidden_size": 16, "depths": [1, 1], "num_hidden_layers": 2,
            "num_attention_heads": [2, 2], "projection_dim": 16, "enable_fusion": False,
        },
        projection_dim=16,
    )  # fmt: skip
    extractor = ClapFeatureExtractor(
        feature_size=16, sampling_rate=RATE_HZ, hop_length=160, max_length_s=1, fft_window_size=512,
        truncation="rand_trunc", padding="repeatpad", frequency_max=8000,
    )  # fmt: skip
    return ClapModel(config), extractor, tokenizer


def _vits() -> tuple[Any, ...]:
    from transformers import VitsConfig, VitsModel, VitsTokenizer

    with TemporaryDirectory() as folder:
        file = Path(folder) / "vocab.json"
        pieces = ["<pad>", "<unk>", *" abcdefghijklmnopqrstuvwxyz.,?'"]
        file.write_text(json.dumps({piece: number for number, piece in enumerate(pieces)}), encoding="utf-8")
        tokenizer = VitsTokenizer(str(file), phonemize=False)
    config = VitsConfig(
        vocab_size=len(pieces), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, ffn_dim=16, flow_size=16,
        spectrogram_bins=9, duration_predictor_num_flows=2, duration_predictor_filter_channels=16,
        prior_encoder_num_flows=2, prior_encoder_num_wavenet_layers=1, posterior_encoder_num_wavenet_layers=1,
        wavenet_dilation_rate=1, upsample_initial_channel=16, upsample_rates=[8, 4], upsample_kernel_sizes=[16, 8],
        resblock_kernel_sizes=[3], resblock_dilation_sizes=[[1, 3]], sampling_rate=RATE_HZ, depth_separable_num_layers=1,
    )  # fmt: skip
    return VitsModel(config), tokenizer


def _llava() -> tuple[Any, ...]:
    from transformers import (
        CLIPImageProcessorPil,
        LlavaConfig,
        LlavaForConditionalGeneration,
        LlavaProcessor,
    )

    tokenizer = _bpe(model_max_length=512)
    vision = {**_TINY, "image_size": 32, "patch_size": 8, "model_type": "clip_vision_model", "projection_dim": 16}
    text = {**_TINY, "vocab_size": len(tokenizer), "model_type": "llama", "max_position_embeddings": 512}
    config = LlavaConfig(
        vision_config=vision,
        text_config=text,
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        image_seq_length=16,
        vision_feature_layer=-1,
    )
    processor = LlavaProcessor(
        CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}),
        tokenizer,
        patch_size=8,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=CHAT,
    )
    return LlavaForConditionalGeneration(config), processor


def _qwen2_audio() -> tuple[Any, ...]:
    from transformers import (
        Qwen2AudioConfig,
        Qwen2AudioForConditionalGeneration,
        Qwen2AudioProcessor,
        WhisperFeatureExtractor,
    )

    tokenizer = _bpe(model_max_length=512)
    config = Qwen2AudioConfig(
        audio_config={
            "model_type": "qwen2_audio_encoder", "num_mel_bins": 16, "encoder_layers": 1, "encoder_attention_heads": 2,
            "encoder_ffn_dim": 32, "d_model": 32, "max_source_positions": 50,
        },
        text_config={**_TINY, "model_type": "qwen2", "vocab_size": len(tokenizer), "num_key_value_heads": 2},
        audio_token_index=tokenizer.convert_tokens_to_ids("<|AUDIO|>"),
    )  # fmt: skip
    extractor = WhisperFeatureExtractor(feature_size=16, sampling_rate=RATE_HZ, chunk_length=1)
    return Qwen2AudioForConditionalGeneration(config), Qwen2AudioProcessor(extractor, tokenizer, chat_template=CHAT)


KINDS: dict[str, Callable[[], tuple[Any, ...]]] = {
    "bert-nli": _nli,
    "gpt2-chat": _chat_gpt2,
    "tapas": _tapas,
    "layoutlm": _layoutlm,
    "vit": _vit,
    "clip": _clip,
    "owlvit": _owlvit,
    "dpt": _dpt,
    "sam": _sam,
    "superglue": _superglue,
    "videomae": _videomae,
    "wav2vec2-classifier": lambda: _wav2vec2("Wav2Vec2ForSequenceClassification", classifier_proj_size=16, **_NAMED),
    "wav2vec2-ctc": _wav2vec2_ctc,
    "whisper": _whisper,
    "clap": _clap,
    "vits": _vits,
    "llava": _llava,
    "qwen2-audio": _qwen2_audio,
}
