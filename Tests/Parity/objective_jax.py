"""Improved mean flows as their authors' code computes them, in JAX."""
import sys
import types
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
import torch

from objective_case import sources

jax.config.update("jax_enable_x64", True)


def velocity(weights, x, t, tt, c):
    """The small network."""
    columns = [x.reshape(len(x), -1), t.reshape(-1, 1), tt.reshape(-1, 1), c]
    value = jnp.concatenate(columns, 1)
    for layer in (1, 2, 3):
        value = value @ weights[f"fc{layer}.weight"].T + weights[f"fc{layer}.bias"]
        value = jnp.tanh(value) if layer < 3 else value
    return value.reshape(x.shape)


def cases(folder):
    # Of flax, the losses need a class to derive from; the networks are not theirs.
    linen = types.ModuleType("flax.linen")
    linen.Module, linen.sigmoid = object, jax.nn.sigmoid
    flax, models = types.ModuleType("flax"), types.ModuleType("models")
    flax.linen, models.imfDiT = linen, None
    absent = {"flax": flax, "flax.linen": linen, "models": models}
    with sources(folder), mock.patch.dict(sys.modules, absent):
        from imf import iMeanFlow

    def step(power, offset, scale=1.0):
        def make(inputs):
            x, c, e = inputs.batch()
            t, r = inputs.uniform("draw.time", 0.4, 1), inputs.uniform("far", 0, 0.4)
            del inputs.arrays["far"]
            near = torch.arange(inputs.rows) < inputs.rows // 2
            r = inputs.keep("draw.target", torch.where(near, t, r))
            noise, network = inputs.normal("draw.noise"), inputs.network("model")
            rows = inputs.rows
            weights = {
                name: jnp.asarray(value.detach().numpy()) for name, value in network.named_parameters()}
            table = jnp.asarray(torch.cat([c, e[:1]]).numpy())
            method = iMeanFlow()
            method.dtype, method.num_classes = x.numpy().dtype, rows
            method.norm_p, method.norm_eps, method.class_dropout_prob = power, offset, 0.0
            column = (rows, 1, 1, 1)
            method.make_rng = lambda _: None
            method.sample_tr = lambda _: tuple(
                jnp.asarray(value.numpy()).reshape(column) for value in (t, r, near))
            method.sample_cfg_scale = lambda _: jnp.full(column, scale, method.dtype)
            method.sample_cfg_interval = lambda *_: (
                jnp.zeros(column, method.dtype), jnp.ones(column, method.dtype))

            def loss(weights):
                def net(x, t, h, omega, t_min, t_max, y):
                    # In place of a head for the velocity, the network's own at (t, t), which the
                    # loss of that head does not train.
                    own = velocity(weights, x, t, t, table[y])
                    return velocity(weights, x, t, t - h, table[y]), jax.lax.stop_gradient(own)

                method.net = net
                return method.forward(jnp.asarray(x.numpy()), jnp.arange(rows))

            kept = lambda *_, shape=(), **__: jnp.ones(shape)
            with mock.patch.object(jax.random, "normal", lambda *_, **__: jnp.asarray(noise.numpy())), \
                    mock.patch.object(jax.random, "uniform", kept):
                gradient, losses = jax.grad(loss, has_aux=True)(weights)
            settings = dict(
                kind="mean-flow", form="improved", weight_power=power, weight_offset=offset,
                guidance_mix=1 - 1 / scale)
            return "imf.py iMeanFlow.forward", settings, {
                "metrics.mean_square": torch.tensor(float(losses["loss_u"]), dtype=torch.float64),
                **{f"grad.{name}": torch.from_numpy(np.array(value))
                   for name, value in gradient.items()}}
        return make

    return {
        "imeanflow": (6, step(1.0, 0.01)),
        "imeanflow_guided": (6, step(0.5, 0.01, scale=2.5)),
    }
