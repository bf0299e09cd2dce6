"""Writes small random models as diffusers saves the published ones, to try commands and to compare with.

    python small_models.py out/small --kind qwen-image [--twinflow] [--seed 0]

The architectures are those of Qwen-Image, Qwen-Image-Edit, Z-Image, Stable Diffusion 3.5, SANA, SANA-Sprint and
OpenUni; the weights are random, so pictures are noise. --twinflow adds the second time embedder of TwinFlow's
weights.
"""
import argparse
import json
import os
import shutil

import torch
from diffusers import (AutoencoderDC, AutoencoderKL, AutoencoderKLQwenImage, DPMSolverMultistepScheduler,
                       FlowMatchEulerDiscreteScheduler, QwenImagePipeline, QwenImageTransformer2DModel,
                       SanaPipeline, SanaSprintPipeline, SanaTransformer2DModel, SCMScheduler,
                       SD3Transformer2DModel, StableDiffusion3Pipeline, ZImagePipeline,
                       ZImageTransformer2DModel)
from safetensors.torch import load_file, save_file
from torch import nn
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from diffusers.utils import logging as diffusers_logging
from transformers.utils import logging as transformers_logging
from transformers import (AutoTokenizer, CLIPTextConfig, CLIPTextModelWithProjection, Gemma2Config,
                          Gemma2Model, Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration,
                          Qwen2Config, Qwen2ForCausalLM, Qwen2TokenizerFast, Qwen3Config, Qwen3Model,
                          T5Config, T5EncoderModel)

diffusers_logging.set_verbosity_error()
transformers_logging.set_verbosity_error()
transformers_logging.disable_progress_bar()

SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|object_ref_start|>", "<|object_ref_end|>",
           "<|box_start|>", "<|box_end|>", "<|quad_start|>", "<|quad_end|>", "<|vision_start|>",
           "<|vision_end|>", "<|vision_pad|>", "<|image_pad|>", "<|video_pad|>"]
WORDS = [
    "Describe the image by detailing the color, shape, size, texture, quantity, text, spatial "
    "relationships of the objects and background:",
    "Describe the key features of the input image (color, shape, size, texture, objects, background), "
    "then explain how the user's text instruction should alter or modify the image. Generate a new image "
    "that meets the user's requirements while maintaining consistency with the original input where "
    "appropriate.",
    "system user assistant a red fox on a snowy hill at dawn, oil painting, 一只橘猫坐在窗台上",
]
SPLIT = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
         r"|\s*[\r\n]+|\s+(?!\S)|\s+")
CHAT = ("{%- for message in messages %}{{- '<|im_start|>' + message.role + '\\n' + message.content + "
        "'<|im_end|>' + '\\n' }}{%- endfor %}{%- if add_generation_prompt %}"
        "{{- '<|im_start|>assistant\\n' }}{%- endif %}")


def tokenizer(size=700, further=()):
    """A byte-level BPE of a few hundred tokens, split as Qwen's."""
    special = SPECIAL + list(further)
    model = Tokenizer(models.BPE())
    model.normalizer = normalizers.NFC()
    model.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(SPLIT), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    model.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False)
    model.train_from_iterator(WORDS * 4, trainer)
    model.add_special_tokens([AddedToken(text, special=True) for text in special])
    fast = Qwen2TokenizerFast(
        tokenizer_object=model, eos_token="<|im_end|>", pad_token="<|endoftext|>", unk_token=None,
        bos_token=None, additional_special_tokens=special[1:])
    fast.chat_template = CHAT
    return fast


def randomized(network, generator, scale=1.0):
    """The network with random numbers in every weight, also in those that start as zeros."""
    with torch.no_grad():
        for name, weight in network.named_parameters():
            fan = weight[0].numel() if weight.dim() > 1 else 0
            noise = torch.randn(weight.shape, generator=generator)
            if fan:
                weight.copy_(noise * scale / fan ** 0.5)
            elif "norm" in name and name.endswith(("weight", "gamma")):
                weight.copy_(1 + 0.1 * noise)
            else:
                weight.copy_(0.1 * noise)
    return network.eval()


def scheduler(kind):
    if kind == "z-image":
        return FlowMatchEulerDiscreteScheduler(shift=3.0)
    return FlowMatchEulerDiscreteScheduler(
        use_dynamic_shifting=True, base_shift=0.5, max_shift=0.9, base_image_seq_len=256,
        max_image_seq_len=8192, shift_terminal=0.02)


def language_model(kind, words, generator, width=64, layers=3):
    ids = {text: words.convert_tokens_to_ids(text) for text in SPECIAL}
    if kind == "z-image":
        config = Qwen3Config(
            vocab_size=len(words), hidden_size=width, intermediate_size=96, num_hidden_layers=layers,
            num_attention_heads=4, num_key_value_heads=2, head_dim=16, rope_theta=1e6,
            tie_word_embeddings=True)
        return randomized(Qwen3Model(config), generator)
    text = dict(
        vocab_size=len(words), hidden_size=width, intermediate_size=96, num_hidden_layers=layers,
        num_attention_heads=4, num_key_value_heads=2, rms_norm_eps=1e-6,
        rope_parameters={"rope_type": "default", "rope_theta": 1e6, "mrope_section": [2, 3, 3]})
    vision = dict(
        depth=2, hidden_size=32, intermediate_size=48, num_heads=2, out_hidden_size=width,
        fullatt_block_indexes=[1], window_size=112)
    config = Qwen2_5_VLConfig(
        text_config=text, vision_config=vision, image_token_id=ids["<|image_pad|>"],
        video_token_id=ids["<|video_pad|>"], vision_start_token_id=ids["<|vision_start|>"],
        vision_end_token_id=ids["<|vision_end|>"])
    return randomized(Qwen2_5_VLForConditionalGeneration(config), generator)


# The vocabularies of CLIP and T5 are those of a fixture.
SD3_FIXTURE = os.path.join(
    os.path.dirname(os.path.abspath(__file__)), "..", "Fixtures", "golden", "pipe_sd3_a", "model")


def sd3(generator, heads=2, layers=3, channels=4, t5=True, dual=None):
    """Stable Diffusion 3.5; with `dual` the numbers of the blocks with a second attention."""
    def clip(width, depth, activation):
        config = CLIPTextConfig(
            vocab_size=755, hidden_size=width, intermediate_size=2 * width, num_hidden_layers=depth,
            num_attention_heads=2, projection_dim=width, hidden_act=activation, bos_token_id=0,
            eos_token_id=2, pad_token_id=1)
        return randomized(CLIPTextModelWithProjection(config), generator)

    def words(name):
        return AutoTokenizer.from_pretrained(os.path.join(SD3_FIXTURE, name))

    transformer = SD3Transformer2DModel(
        sample_size=16, patch_size=2, in_channels=channels, num_layers=layers, attention_head_dim=12,
        num_attention_heads=heads, joint_attention_dim=48, caption_projection_dim=12 * heads,
        pooled_projection_dim=40, out_channels=channels, pos_embed_max_size=16,
        dual_attention_layers=tuple(range(layers // 2) if dual is None else dual),
        qk_norm="rms_norm")
    vae = AutoencoderKL(
        block_out_channels=(8, 8, 16, 16), down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4, latent_channels=channels, norm_num_groups=4,
        layers_per_block=1, scaling_factor=1.5305, shift_factor=0.0609, use_quant_conv=False,
        use_post_quant_conv=False)
    large = T5Config(
        vocab_size=664, d_model=48, d_kv=16, d_ff=64, num_layers=2, num_heads=2,
        feed_forward_proj="gated-gelu", is_encoder_decoder=False)
    return StableDiffusion3Pipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0), vae=randomized(vae, generator),
        transformer=randomized(transformer, generator), text_encoder=clip(16, 2, "quick_gelu"),
        text_encoder_2=clip(24, 3, "gelu"), tokenizer=words("tokenizer"),
        tokenizer_2=words("tokenizer_2"),
        text_encoder_3=randomized(T5EncoderModel(large), generator) if t5 else None,
        tokenizer_3=words("tokenizer_3") if t5 else None)


# The vocabulary of Gemma is that of a fixture.
SANA_FIXTURE = os.path.join(os.path.dirname(SD3_FIXTURE), "..", "pipe_sana_a", "model")


def sana(kind, generator, heads=2, layers=3, channels=4, moves_pixels=False, text=32, **scheduler):
    """SANA or SANA-Sprint; with `moves_pixels` the autoencoder halves and doubles by moving pixels."""
    words = AutoTokenizer.from_pretrained(os.path.join(SANA_FIXTURE, "tokenizer"))
    width = 8 * heads
    is_sprint = kind == "sana-sprint"
    further = dict(guidance_embeds=True, qk_norm="rms_norm_across_heads") if is_sprint else {}
    transformer = SanaTransformer2DModel(
        in_channels=channels, out_channels=channels, num_attention_heads=heads, attention_head_dim=8,
        num_layers=layers, num_cross_attention_heads=2, cross_attention_head_dim=12,
        cross_attention_dim=width, caption_channels=text, mlp_ratio=2.5, sample_size=32, **further)
    kinds = ("ResBlock",) * 3 + ("EfficientViTBlock",) * 3
    vae = AutoencoderDC(
        latent_channels=channels, attention_head_dim=8, encoder_block_types=kinds,
        decoder_block_types=kinds, encoder_block_out_channels=(8, 8, 8, 8, 16, 16),
        decoder_block_out_channels=(8, 8, 8, 8, 16, 16), encoder_layers_per_block=(1,) * 6,
        decoder_layers_per_block=(1,) * 6, scaling_factor=0.41407,
        upsample_block_type="pixel_shuffle" if moves_pixels else "interpolate",
        downsample_block_type="pixel_unshuffle" if moves_pixels else "Conv")
    encoder = Gemma2Config(
        vocab_size=len(words), hidden_size=32, intermediate_size=48, num_hidden_layers=3,
        num_attention_heads=4, num_key_value_heads=2, head_dim=8, query_pre_attn_scalar=16,
        sliding_window=64)
    settings = dict(
        use_flow_sigmas=True, prediction_type="flow_prediction", flow_shift=3.0) | scheduler
    parts = dict(
        tokenizer=words, text_encoder=randomized(Gemma2Model(encoder), generator),
        vae=randomized(vae, generator), transformer=randomized(transformer, generator))
    if is_sprint:
        return SanaSprintPipeline(scheduler=SCMScheduler(), **parts)
    return SanaPipeline(scheduler=DPMSolverMultistepScheduler(**settings), **parts)


class ConnectorLayer(nn.Module):
    """Attention in both directions and an MLP, each on normalized tokens."""

    def __init__(self, width, hidden, heads):
        super().__init__()
        self.heads = heads
        self.self_attn = nn.ModuleDict({
            name: nn.Linear(width, width) for name in ["k_proj", "v_proj", "q_proj", "out_proj"]})
        self.layer_norm1 = nn.LayerNorm(width, eps=1e-6)
        self.mlp = nn.ModuleDict({"fc1": nn.Linear(width, hidden), "fc2": nn.Linear(hidden, width)})
        self.layer_norm2 = nn.LayerNorm(width, eps=1e-6)

    def forward(self, x):
        normed, (batch, tokens, width) = self.layer_norm1(x), x.shape
        q, k, v = (
            self.self_attn[name](normed).view(batch, tokens, self.heads, -1).transpose(1, 2)
            for name in ["q_proj", "k_proj", "v_proj"])
        mixed = nn.functional.scaled_dot_product_attention(q, k, v).transpose(1, 2)
        x = x + self.self_attn["out_proj"](mixed.reshape(x.shape))
        inner = nn.functional.gelu(self.mlp["fc1"](self.layer_norm2(x)), approximate="tanh")
        return x + self.mlp["fc2"](inner)


class Connector(nn.Module):
    """OpenUni's encoder of hidden states."""

    def __init__(self, width, hidden, heads, layers):
        super().__init__()
        self.layers = nn.ModuleList(ConnectorLayer(width, hidden, heads) for _ in range(layers))

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x


IMAGE_TOKENS = ["<img>", "</img>", "<IMG_CONTEXT>"]


def openuni(generator, heads=2, layers=3, channels=4, width=128, queries=8, text=48, **scheduler):
    """The parts of OpenUni: SANA, a language model, its tokenizer, and what is between the two."""
    words = tokenizer(300, IMAGE_TOKENS)
    config = Qwen2Config(
        vocab_size=len(words), hidden_size=width, intermediate_size=48, num_hidden_layers=2,
        num_attention_heads=2, num_key_value_heads=1, rope_theta=1e6, tie_word_embeddings=False,
        head_dim=16)
    hidden = 32
    return dict(
        sana=sana("sana", generator, heads, layers, channels, text=text, **scheduler), tokenizer=words,
        language_model=randomized(Qwen2ForCausalLM(config), generator),
        connector=randomized(Connector(width, hidden, width // 64, 2), generator),
        projector=randomized(nn.Linear(width, text), generator),
        meta_queries=torch.randn(queries, width, generator=generator) / width ** 0.5)


def write_openuni(folder, generator, twinflow, dtype, **sizes):
    """Writes an OpenUni: the language model as InternVL3's folder has it, and the published checkpoint in the
    place of SANA's weights. Returns the parts with the weights that are on disk."""
    parts = openuni(generator, **sizes)
    pipeline = parts["sana"]
    networks = [parts["language_model"], parts["connector"], parts["projector"], pipeline.transformer]
    for weight in [weight for network in networks for weight in network.parameters()]:
        weight.data = weight.data.to(dtype).float()
    parts["meta_queries"] = parts["meta_queries"].to(dtype).float()
    pipeline.vae.to(dtype)
    pipeline.save_pretrained(folder)
    pipeline.vae.float()
    place = {name: os.path.join(folder, name) for name in ["text_encoder", "tokenizer", "transformer"]}
    for name in ["text_encoder", "tokenizer"]:
        shutil.rmtree(place[name])
    parts["tokenizer"].save_pretrained(place["tokenizer"])
    os.makedirs(place["text_encoder"])
    model = parts["language_model"]
    weights = {f"language_model.{name}": value.to(dtype) for name, value in model.state_dict().items()
               if not name.startswith("lm_head")}
    # The map to logits and what embeds images are not read; their sizes do not matter.
    for name in ["language_model.lm_head.weight", "vision_model.embeddings.class_embedding",
                 "mlp1.0.weight"]:
        weights[name] = torch.zeros(1, 1, dtype=dtype)
    save_file(weights, os.path.join(place["text_encoder"], "model.safetensors"), {"format": "pt"})
    config = model.config.to_diff_dict()
    # As older versions of transformers have written it.
    config.pop("rope_parameters", None)
    config |= {"rope_theta": 1e6, "model_type": "qwen2", "architectures": ["Qwen2ForCausalLM"],
               "rope_scaling": {"factor": 2.0, "rope_type": "dynamic", "type": "dynamic"}}
    whole = {"architectures": ["InternVLChatModel"], "model_type": "internvl_chat", "llm_config": config}
    json.dump(whole, open(os.path.join(place["text_encoder"], "config.json"), "w"), indent=1)
    checkpoint = {f"transformer.{name}": value for name, value in pipeline.transformer.state_dict().items()}
    checkpoint |= {f"connector.{name}": value for name, value in parts["connector"].state_dict().items()}
    checkpoint |= {f"projector.{name}": value for name, value in parts["projector"].state_dict().items()}
    checkpoint["meta_queries"] = parts["meta_queries"]
    if twinflow:
        first, second = "transformer.time_embed.", "transformer.time_embed_2."
        for name in [name for name in checkpoint if name.startswith(first)]:
            checkpoint[second + name[len(first):]] = torch.randn(
                checkpoint[name].shape, generator=generator) * 0.1
    os.remove(os.path.join(place["transformer"], "diffusion_pytorch_model.safetensors"))
    torch.save({name: value.to(dtype) for name, value in checkpoint.items()},
               os.path.join(place["transformer"], "openuni.pth"))
    index = os.path.join(folder, "model_index.json")
    values = json.load(open(index))
    values |= {"_class_name": "OpenUniPipeline", "text_encoder": ["transformers", "InternVLChatModel"],
               "tokenizer": ["transformers", "Qwen2Tokenizer"]}
    json.dump(values, open(index, "w"), indent=1)
    return parts


def write_sit(folder, generator, width=64, depth=3, side=8, channels=4, classes=10):
    """Writes SiT as its authors publish it: `SiT.pt`, and the folder of an autoencoder, `vae`."""
    vae = AutoencoderKL(
        block_out_channels=(8, 8, 16, 16), down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4, latent_channels=channels, norm_num_groups=4,
        layers_per_block=1, scaling_factor=0.18215)
    randomized(vae, generator).save_pretrained(os.path.join(folder, "vae"))
    patch, weights = 2, {}

    def linear(name, outputs, inputs):
        weights[f"{name}.weight"] = torch.randn(outputs, inputs, generator=generator) / inputs**0.5
        weights[f"{name}.bias"] = 0.05 * torch.randn(outputs, generator=generator)

    linear("x_embedder.proj", width, channels * patch**2)
    weights["x_embedder.proj.weight"] = weights["x_embedder.proj.weight"].view(width, channels, patch, patch)
    weights["pos_embed"] = 0.5 * torch.randn(1, (side // patch) ** 2, width, generator=generator)
    linear("t_embedder.mlp.0", width, 256)
    linear("t_embedder.mlp.2", width, width)
    weights["y_embedder.embedding_table.weight"] = torch.randn(classes + 1, width, generator=generator)
    for block in range(depth):
        for name, outputs, inputs in (
                ("attn.qkv", 3, 1), ("attn.proj", 1, 1), ("mlp.fc1", 4, 1), ("mlp.fc2", 1, 4),
                ("adaLN_modulation.1", 6, 1)):
            linear(f"blocks.{block}.{name}", outputs * width, inputs * width)
    linear("final_layer.adaLN_modulation.1", 2 * width, width)
    linear("final_layer.linear", 2 * channels * patch**2, width)
    torch.save(weights, os.path.join(folder, "SiT.pt"))


def model(kind, generator, heads=2, layers=3, channels=4, **further):
    if kind == "sd3":
        return sd3(generator, heads, layers, channels, **further)
    if kind.startswith("sana"):
        return sana(kind, generator, heads, layers, channels, **further)
    words = tokenizer()
    encoder = language_model(kind, words, generator)
    width = 64
    if kind == "z-image":
        transformer = ZImageTransformer2DModel(
            all_patch_size=(2,), all_f_patch_size=(1,), in_channels=channels, dim=16 * heads,
            n_layers=layers, n_refiner_layers=2, n_heads=heads, n_kv_heads=heads, cap_feat_dim=width,
            axes_dims=[4, 6, 6], axes_lens=[256, 64, 64])
        vae = AutoencoderKL(
            block_out_channels=(8, 8, 16, 16), down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4, latent_channels=channels, norm_num_groups=4,
            layers_per_block=1, scaling_factor=0.3611, shift_factor=0.1159, use_quant_conv=False,
            use_post_quant_conv=False)
    else:
        transformer = QwenImageTransformer2DModel(
            in_channels=4 * channels, out_channels=channels, num_layers=layers, attention_head_dim=16,
            num_attention_heads=heads, joint_attention_dim=width, axes_dims_rope=(4, 6, 6))
        vae = AutoencoderKLQwenImage(
            base_dim=8, z_dim=channels, dim_mult=[1, 2, 2, 2], num_res_blocks=1, attn_scales=[],
            temperal_downsample=[False, True, True], latents_mean=[-0.7, 0.2, 0.5, -0.1][:channels],
            latents_std=[2.8, 1.4, 2.3, 0.9][:channels])
    parts = dict(
        scheduler=scheduler(kind), vae=randomized(vae, generator), text_encoder=encoder, tokenizer=words,
        transformer=randomized(transformer, generator))
    if kind == "z-image":
        return ZImagePipeline(**parts)
    return QwenImagePipeline(**parts)


def add_processor(folder):
    """Makes a saved model one for editing, whose processor has the settings of the published one."""
    processor = os.path.join(folder, "processor")
    shutil.copytree(os.path.join(folder, "tokenizer"), processor)
    settings = {
        "do_convert_rgb": True, "do_normalize": True, "do_rescale": True, "do_resize": True,
        "image_mean": [0.48145466, 0.4578275, 0.40821073],
        "image_processor_type": "Qwen2VLImageProcessor",
        "image_std": [0.26862954, 0.26130258, 0.27577711], "max_pixels": 12845056, "merge_size": 2,
        "min_pixels": 3136, "patch_size": 14, "processor_class": "Qwen2VLProcessor", "resample": 3,
        "rescale_factor": 1 / 255, "temporal_patch_size": 2}
    json.dump(settings, open(os.path.join(processor, "preprocessor_config.json"), "w"), indent=1)
    index = os.path.join(folder, "model_index.json")
    values = json.load(open(index))
    values["_class_name"] = "QwenImageEditPipeline"
    values["processor"] = ["transformers", "Qwen2VLProcessor"]
    json.dump(values, open(index, "w"), indent=1)


def add_target_times(folder, kind, generator):
    """Adds TwinFlow's second time embedder to a saved transformer."""
    path = os.path.join(folder, "transformer", "diffusion_pytorch_model.safetensors")
    weights = load_file(path)
    first, second = {
        "z-image": ("t_embedder.", "t_embedder_2."), "sana": ("time_embed.", "time_embed_2.")
    }.get(kind, ("time_text_embed.", "time_text_embed_2."))
    for name in [name for name in weights if name.startswith(first)]:
        like = weights[name]
        weights[second + name[len(first):]] = (
            torch.randn(like.shape, generator=generator) * 0.1).to(like.dtype)
    save_file(weights, path, metadata={"format": "pt"})
    if kind != "z-image":
        config = os.path.join(folder, "transformer", "config.json")
        values = json.load(open(config))
        values["_class_name"] += "Wrapper"
        json.dump(values, open(config, "w"), indent=1)


def write(folder, kind, seed=0, twinflow=False, dtype=torch.bfloat16, **sizes):
    generator = torch.Generator().manual_seed(seed)
    if kind == "openuni":
        write_openuni(folder, generator, twinflow, dtype, **sizes)
        return
    if kind == "sit":
        write_sit(folder, generator, **sizes)
        return
    pipeline = model(kind, generator, **sizes)
    for part in (pipeline.text_encoder, pipeline.transformer,
                 getattr(pipeline, "text_encoder_2", None), getattr(pipeline, "text_encoder_3", None)):
        if part is not None:
            part.to(dtype)
    pipeline.save_pretrained(folder)
    if kind == "sd3":
        for name in [name for name in os.listdir(SD3_FIXTURE) if name.startswith("tokenizer")]:
            if os.path.isdir(os.path.join(folder, name)):
                shutil.copytree(
                    os.path.join(SD3_FIXTURE, name), os.path.join(folder, name), dirs_exist_ok=True)
    if kind.startswith("sana"):
        shutil.copytree(
            os.path.join(SANA_FIXTURE, "tokenizer"), os.path.join(folder, "tokenizer"),
            dirs_exist_ok=True)
    if kind == "qwen-image-edit":
        add_processor(folder)
    if twinflow:
        add_target_times(folder, kind, generator)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder")
    parser.add_argument("--kind", choices=["qwen-image", "qwen-image-edit", "z-image", "sd3", "sana",
                                           "sana-sprint", "openuni", "sit"],
                        default="qwen-image")
    parser.add_argument("--twinflow", action="store_true", help="add the second time embedder of TwinFlow")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    if given.twinflow and given.kind == "sit":
        parser.error("published SiT models have no second time embedder: --twinflow is not for --kind sit; "
                     "training Recipes/imagenet/twinflow.yaml adds one")
    write(given.folder, given.kind, given.seed, given.twinflow)
    print(f"Wrote {given.folder}: random weights of a small {given.kind}.")
