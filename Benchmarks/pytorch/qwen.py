"""Parts of Qwen-Image at full width: diffusers' transformer and transformers' text encoder."""

import torch
import torch.nn.functional as F
from torch import nn


class StoredLinear(nn.Module):
    """A linear layer whose weights are kept in bf16 and widened when they are used."""

    def __init__(self, layer):
        super().__init__()
        self.weight = nn.Parameter(layer.weight.detach().bfloat16(), requires_grad=False)
        self.bias = layer.bias
        if self.bias is not None:
            self.bias = nn.Parameter(layer.bias.detach().bfloat16(), requires_grad=False)

    def forward(self, x):
        bias = None if self.bias is None else self.bias.float()
        return F.linear(x, self.weight.float(), bias)


def stored_in_half(module):
    for name, child in module.named_children():
        if isinstance(child, nn.Linear):
            setattr(module, name, StoredLinear(child))
        else:
            stored_in_half(child)


def prepared(network, options, inputs, blocks):
    """The network as a function that returns a number."""
    network = network.eval().requires_grad_(False)
    if options.half_compute:
        network = network.bfloat16()
        inputs = {name: value.bfloat16() if torch.is_tensor(value) and value.is_floating_point()
                  else value for name, value in inputs.items()}
    elif options.half:
        stored_in_half(network)
    if options.compile:
        for block in blocks(network):
            block.compile()

    @torch.no_grad()
    def run():
        return network(**inputs, return_dict=False)[0].float().mean().item()

    return run


def block(options):
    from diffusers import QwenImageTransformer2DModel

    network = QwenImageTransformer2DModel(num_layers=1)
    inputs = dict(
        hidden_states=torch.randn(1, 1024, 64), encoder_hidden_states=torch.randn(1, 64, 3584),
        encoder_hidden_states_mask=torch.ones(1, 64, dtype=torch.bool), timestep=torch.tensor([0.5]),
        img_shapes=[[(1, 32, 32)]])
    return prepared(network, options, inputs, lambda network: network.transformer_blocks)


def text_layer(options):
    from transformers import Qwen2_5_VLTextConfig, Qwen2_5_VLTextModel

    config = Qwen2_5_VLTextConfig(
        vocab_size=1024, hidden_size=3584, intermediate_size=18944, num_hidden_layers=1,
        num_attention_heads=28, num_key_value_heads=4, rms_norm_eps=1e-6, pad_token_id=0,
        bos_token_id=1, eos_token_id=2, use_cache=False,
        rope_parameters={"rope_type": "default", "rope_theta": 1e6, "mrope_section": [16, 24, 24]})
    network = Qwen2_5_VLTextModel(config)
    inputs = dict(input_ids=torch.randint(3, 1024, (1, options.tokens)))
    return prepared(network, options, inputs, lambda network: network.layers)
