"""Parts of SANA at full width: diffusers' transformer and autoencoder."""

import torch


def transformer():
    from diffusers import SanaTransformer2DModel

    network = SanaTransformer2DModel(num_layers=1)
    inputs = dict(
        hidden_states=torch.randn(1, 32, 32, 32), encoder_hidden_states=torch.randn(1, 300, 2304),
        timestep=torch.tensor([500.0]))
    return network, lambda: network(**inputs, return_dict=False)[0], network.transformer_blocks


def autoencoder(backwards):
    from diffusers import AutoencoderDC

    kinds = ("ResBlock",) * 3 + ("EfficientViTBlock",) * 3
    network = AutoencoderDC(
        encoder_block_types=kinds, decoder_block_types=kinds, downsample_block_type="conv",
        upsample_block_type="interpolate")
    if backwards:
        image = torch.randn(1, 3, 128, 128)
        run = lambda: network.decoder(network.encoder(image))
    else:
        latents = torch.randn(1, 32, 8, 8)
        run = lambda: network.decoder(latents)
    return network, run, [network.encoder, network.decoder]


def prepared(options):
    """The workload as a function that returns a number."""
    backwards = options.work.endswith("gradient")
    make = transformer if options.work.startswith("sana") else lambda: autoencoder(backwards)
    network, forward, parts = make()
    if options.channels_last:
        network.to(memory_format=torch.channels_last)
    if options.compile:
        for part in parts:
            # Its compiler fails on the autoencoder's attention once it takes sizes for variables.
            part.compile(dynamic=False)
    if not backwards:
        network.eval().requires_grad_(False)

        @torch.no_grad()
        def run():
            return forward().mean().item()

        return run

    def run():
        network.zero_grad(set_to_none=True)
        loss = forward().square().mean()
        loss.backward()
        return loss.item()

    return run
