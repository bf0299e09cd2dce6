"""One training step of TwinFlow, in the tutorial's version and in the one for large networks.

x_t = t z + (1 - t) x; the network predicts z - x; negative times are the fake trajectory.
"""

import copy
import math

import torch


def ends(x_t, velocity, t):
    """The data and the noise that the velocity at time t predicts."""
    t = t.abs()
    return x_t - t * velocity, x_t + (1 - t) * velocity


def column(values):
    return values.reshape(-1, 1, 1, 1)


class Average:
    """An exponential moving average of a network, whose decay rises from 0 to its final value."""

    def __init__(self, network, rate):
        self.network = copy.deepcopy(network).requires_grad_(False)
        self.rate, self.now = rate, 0.0

    @torch.no_grad()
    def follow(self, network):
        for own, live in zip(self.network.parameters(), network.parameters()):
            own.lerp_(live, 1 - self.now)
        self.now += (1 - self.now) * (self.rate - self.now) / 2


@torch.no_grad()
def recursive_target(average, velocity, target, x_t, t, tt, label, order):
    """The regression target of RCGM: the velocity minus its clamped inconsistency."""
    start = torch.maximum(t - 0.01, tt)
    x = x_t - 0.01 * target
    total = torch.zeros_like(x)
    nodes = [start + (tt - start) * i / order for i in range(order + 1)]
    for here, there in zip(nodes, nodes[1:]):
        step = average(x, here, there, label)
        data, noise = ends(x, step, here)
        x = there * noise + (1 - there) * data
        total += step * (here - there)
    gap = t - tt
    near = gap < 0.01
    left = torch.where(near, torch.ones_like(gap), 100 * gap)
    right = torch.where(near, 1 / gap.clamp_min(1e-6), torch.full_like(gap, 100))
    residual = velocity * left - total * right - target
    return velocity - residual.clamp(-1, 1)


@torch.no_grad()
def fake_minus_real(network, x, label):
    z, t = torch.randn_like(x), column(torch.rand(len(x), device=x.device))
    x_t = t * z + (1 - t) * x
    return network(x_t, -t, -t, label) - network(x_t, t, t, label)


@torch.no_grad()
def guidance(average, x_t, t, label, other):
    return average(x_t, t, t, label) - average(x_t, t, t, other)


class TutorialStep:
    """Every loss on the whole batch; the empty condition is another image's label."""

    def __init__(self, network, order=2, guidance_ratio=0.5, rate=0.99, learning_rate=2e-4):
        self.network, self.order, self.ratio = network, order, guidance_ratio
        self.average = Average(network, rate)
        self.optimizer = torch.optim.Adam(network.parameters(), lr=learning_rate)

    def loss(self, x, label):
        network, average = self.network, self.average.network
        square = torch.nn.functional.mse_loss
        other = label[torch.randperm(len(label))]
        t = column(torch.rand(len(x), device=x.device))
        tt = t - torch.rand_like(t) * t
        z = torch.randn_like(x)
        x_t, target = t * z + (1 - t) * x, z - x

        velocity = network(x_t, t, tt, label)
        self.average.follow(network)
        target = target + self.ratio * guidance(average, x_t, t, label, other)
        wanted = recursive_target(
            average, velocity, target, x_t, t, tt, label, self.order)
        total = square(velocity, wanted) + square(network(x_t, t, t, label), target)

        one, zero = torch.ones_like(t), torch.zeros_like(t)
        leap = network(z, one, zero, label)
        fake = (z - leap).detach()
        fake_t = t * z + (1 - t) * fake
        total = total + square(network(fake_t, -t, -t, label), z - fake)
        push = fake_minus_real(network, fake, label)
        total = total + square(leap, (leap - push).detach())
        wanted = recursive_target(average, leap, target, z, one, zero, label, self.order)
        return total + square(leap, wanted)

    def __call__(self, x, label):
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.loss(x, label)
        loss.backward()
        self.optimizer.step()
        return loss.item()


def barron(prediction, target, c=1e-3):
    """The squared error of each image, reweighted by Barron's loss with alpha = 1."""
    error = (prediction - target).square().flatten(1).mean(1)
    weight = (error / (c * c + 1e-8) + 1).rsqrt().detach()
    return error * weight / c


class SplitStep:
    """A quarter of the batch for each loss: end-to-end, multi-step, any-step, adversarial."""

    def __init__(self, network, order=2, guidance_ratio=0.8, rate=0.99, rectify=0.5,
                 learning_rate=3e-4, no_label=10, fused=None):
        self.network, self.order, self.ratio = network, order, guidance_ratio
        self.rectify, self.no_label = rectify, no_label
        self.average = Average(network, rate)
        self.optimizer = torch.optim.AdamW(network.parameters(), lr=learning_rate, fused=fused)

    @torch.no_grad()
    def inputs(self, x, label):
        quarter = len(x) // 4
        t = column(torch.rand(len(x), device=x.device))
        tt = t - torch.rand_like(t) * t
        t[:quarter], tt[:quarter] = 1, 0
        near = t - torch.rand_like(t) * t * 0.05
        tt[quarter:2 * quarter] = near[quarter:2 * quarter]

        noise = torch.randn_like(x[3 * quarter:])
        start = torch.ones(quarter, 1, 1, 1, device=x.device)
        leap = self.network(noise, start, torch.zeros_like(start), label[3 * quarter:])
        x = torch.cat([x[:3 * quarter], noise - leap])
        z = torch.randn_like(x)
        x_t, target = t * z + (1 - t) * x, z - x
        t[3 * quarter:] *= -1
        tt[3 * quarter:] = t[3 * quarter:]
        return x_t, t, tt, target, quarter

    def loss(self, x, label):
        network, average = self.network, self.average.network
        x_t, t, tt, target, quarter = self.inputs(x, label)
        real = column(torch.arange(len(x), device=x.device) < 3 * quarter)

        velocity = network(x_t, t, tt, label)
        self.average.follow(network)
        inside = real & (t > 0) & (t < 1)
        none = torch.full_like(label, self.no_label)
        target = target + inside * self.ratio * guidance(average, x_t, t, label, none)
        wanted = recursive_target(
            average, velocity, target, x_t, t, tt, label, self.order)
        wanted = torch.where(real, wanted, target)

        weight = torch.tan((1 - (t.abs() - tt.abs())) * math.pi / 2.5) + 1
        weight = torch.where(real, weight, 1.0).flatten()
        total = (barron(velocity, wanted) * weight).mean()

        leap = velocity[:quarter]
        fake = (x_t[:quarter] - leap).detach()
        push = fake_minus_real(network, fake, label[:quarter]).clamp(-1, 1)
        return total + self.rectify * barron(leap, (leap - push).detach()).mean()

    def __call__(self, x, label):
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.loss(x, label)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimizer.step()
        return loss.item()
