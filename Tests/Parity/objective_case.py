"""What the cases of `objectives.py` share: random inputs, the small network, and the files.

The network is the one of the cases of TwinFlow's method, a perceptron of three layers:
`fc3(tanh(fc2(tanh(fc1(cat(flatten x, t, tt, c))))))` with weights `[out, in]`.
"""
import contextlib
import importlib.abc
import importlib.machinery
import json
import os
import sys
from unittest import mock

import numpy as np
import torch
from safetensors.numpy import save_file

SAMPLE = (2, 2, 2)
CONDITION, HIDDEN, CRITIC = 3, 7, 5


class Network(torch.nn.Module):
    """The velocity at samples `[batch, …]`, times `[batch]` and conditions `[batch, CONDITION]`."""

    def __init__(self):
        super().__init__()
        width = int(np.prod(SAMPLE))
        self.fc1 = torch.nn.Linear(width + 2 + CONDITION, HIDDEN)
        self.fc2 = torch.nn.Linear(HIDDEN, HIDDEN)
        self.fc3 = torch.nn.Linear(HIDDEN, width)

    def hidden(self, x, t, tt, c):
        columns = [x.flatten(1), t.reshape(-1, 1), tt.reshape(-1, 1), c]
        first = torch.tanh(self.fc1(torch.cat([column.to(x.dtype) for column in columns], 1)))
        return [first, torch.tanh(self.fc2(first))]

    def forward(self, x, t, tt, c):
        return self.fc3(self.hidden(x, t, tt, c)[1]).reshape(x.shape)


class Critic(torch.nn.Module):
    """A head on the features of each layer: a norm and two linear maps on every token."""

    def __init__(self, layers):
        super().__init__()
        self.feature_indices = set(layers)
        self.heads = torch.nn.ModuleList(
            torch.nn.ModuleDict(dict(
                input=torch.nn.Linear(HIDDEN, CRITIC), output=torch.nn.Linear(CRITIC, 1)))
            for _ in layers)

    def forward(self, features):
        def logits(head, value):
            normal = torch.nn.functional.layer_norm(value, value.shape[-1:], eps=1e-6)
            return head["output"](torch.nn.functional.silu(head["input"](normal))).flatten(1)

        return torch.cat([logits(*pair) for pair in zip(self.heads, features)], 1)


class Inputs:
    """The inputs of a case: f32 numbers from a seed, as tensors of an element type."""

    def __init__(self, seed, dtype, rows):
        self.generator = torch.Generator().manual_seed(seed)
        self.dtype = dtype
        self.rows = rows
        self.arrays = {}

    def keep(self, name, values):
        """Keeps an input that does not come from the seed, and returns it as it is stored."""
        self.arrays[name] = values.detach().float().numpy().copy()
        return torch.from_numpy(self.arrays[name]).to(self.dtype)

    def normal(self, name, shape=SAMPLE, rows=None):
        values = torch.randn((rows or self.rows,) + tuple(shape), generator=self.generator)
        return self.keep(name, values)

    def uniform(self, name, low=0.0, high=1.0, rows=None):
        values = torch.rand(rows or self.rows, generator=self.generator)
        return self.keep(name, values * (high - low) + low)

    def unused(self, *names, shape=()):
        """Draws that these settings do not use."""
        for name in names:
            self.keep(name, torch.zeros((self.rows,) + tuple(shape)))

    def batch(self):
        """Data, conditions, and the empty condition, which is the same for all rows."""
        x, c = self.normal("x"), self.normal("c", (CONDITION,))
        empty = torch.randn(1, CONDITION, generator=self.generator)
        return x, c, self.keep("e", empty.repeat(self.rows, 1))

    def network(self, name, module=None):
        """A network with random weights, whose gradients are expected outputs."""
        module = module or Network()
        for key, weight in module.named_parameters():
            scale = 0.3 if weight.ndim == 1 else 1.5 * weight.shape[1] ** -0.5
            values = torch.randn(weight.shape, generator=self.generator) * scale
            weight.data = self.keep(f"{name}.{key}", values)
        return module


def gradients(module, loss, prefix=""):
    """The gradients of a loss, by the names of the outputs."""
    names, weights = zip(*module.named_parameters())
    return {
        f"{prefix}grad.{name}": gradient
        for name, gradient in zip(names, torch.autograd.grad(loss, weights, retain_graph=True))}


@contextlib.contextmanager
def drawn(**queues):
    """Gives published code these random numbers in place of torch's, and no others.

    `randn_like=[a, b]` makes the first call of `torch.randn_like` return `a` and the second `b`.
    """
    def taking(name, values):
        def take(like=None, *_, **__):
            if not values:
                raise AssertionError(f"torch.{name} was called once more than expected")
            value = values.pop(0)
            if isinstance(like, torch.Tensor) and tuple(like.shape) != tuple(value.shape):
                raise AssertionError(f"torch.{name} was asked for {like.shape}, not {value.shape}")
            return value.clone()
        return take

    names = ("randn", "randn_like", "rand", "rand_like", "randint")
    queues = {name: list(queues.get(name, [])) for name in names}
    state = (lambda *_: None)
    with contextlib.ExitStack() as stack:
        for name, values in queues.items():
            stack.enter_context(mock.patch.object(torch, name, taking(name, values)))
        for name in ("get_rng_state", "set_rng_state"):
            stack.enter_context(mock.patch.object(torch.cuda, name, state))
        yield
        if any(queues.values()):
            raise AssertionError(f"draws are left: { {n: len(v) for n, v in queues.items()} }")


class Absent(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Empty modules in place of libraries that published code imports but its losses do not use."""

    def __init__(self, *names):
        self.names = names

    def find_spec(self, name, path=None, target=None):
        if any(name == own or name.startswith(own + ".") for own in self.names):
            return importlib.machinery.ModuleSpec(name, self, is_package=True)
        return None

    def create_module(self, spec):
        module = mock.MagicMock(name=spec.name)
        module.__path__, module.__spec__, module.__name__ = [], spec, spec.name
        return module

    def exec_module(self, module):
        pass


@contextlib.contextmanager
def sources(folder, absent=()):
    """Imports from a checkout; libraries that are not installed are empty where they are named."""
    finder = Absent(*absent)
    sys.path.insert(0, os.path.abspath(folder))
    sys.meta_path.append(finder)
    try:
        yield
    finally:
        sys.path.remove(os.path.abspath(folder))
        sys.meta_path.remove(finder)


def write(folder, make, seed, rows, place):
    """Computes a case in f64 and f32, and writes the former with the latter's distance."""
    results = {}
    for dtype in (torch.float64, torch.float32):
        inputs = Inputs(seed, dtype, rows)
        source, objective, expected = make(inputs)
        results[dtype] = {name: value.detach().double() for name, value in expected.items()}
    wide, narrow = results[torch.float64], results[torch.float32]
    floors = {name: float(f"{(wide[name] - narrow[name]).abs().max():.2e}") for name in wide}
    config = dict(
        kind="objective", source=place + source, objective=objective,
        model=dict(type="mlp3", dim=int(np.prod(SAMPLE)), cdim=CONDITION, hidden=HIDDEN),
        seed=seed, torch=torch.__version__, float32_vs_float64_maxabs=floors)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "config.json"), "w") as file:
        json.dump(config, file, indent=1)
        file.write("\n")
    save_file(
        {name: np.ascontiguousarray(value) for name, value in inputs.arrays.items()},
        os.path.join(folder, "inputs.safetensors"))
    save_file(
        {name: np.ascontiguousarray(value.float().numpy()) for name, value in wide.items()},
        os.path.join(folder, "expected.safetensors"))
