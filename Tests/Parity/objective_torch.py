"""APEX, UCGM, SoFlow, SiD and VSD as their authors' code computes them."""
import warnings
from types import SimpleNamespace

import torch

from objective_case import drawn, gradients, sources


def apex(folder):
    """The training step of APEX, in whose code negative times mark the fake branch."""
    # A package that the checkout names and does not have.
    with sources(folder + "/src", ("methodes.twinflow",)):
        from methodes.apex.apex import APEX

    def step(scale, offset, order, ratio, weight):
        def make(inputs):
            x, c, e = inputs.batch()
            rows, ends = inputs.rows, round(inputs.rows / 4)
            time, target, near = (inputs.uniform("draw." + n) for n in ("time", "target", "near"))
            fake_noise = inputs.normal("draw.fake_noise", rows=rows - 3 * ends)
            noise = inputs.normal("draw.noise")
            match_noise = inputs.normal("draw.rectification_noise", rows=ends)
            match_time = inputs.uniform("draw.rectification_time", rows=ends)
            inputs.unused("draw.data_noise", shape=x.shape[1:])
            network = inputs.network("model")

            class Marked(torch.nn.Module):
                """The network with the paper's mark: a shifted condition, not a negative time."""

                def forward(self, x_t, t, tt, c):
                    condition = torch.where((t < 0)[:, None], scale * c[0] + offset, c[0])
                    return network(x_t, t.abs(), tt.abs(), condition)

            model = Marked()
            model.__dict__["transformer"] = model
            method = APEX(
                ema_decay_rate=0.0, enhanced_ratio=ratio, estimate_order=order,
                dist_match_cof=weight)
            times = [time, match_time]
            method.sample_beta = lambda *_: times.pop(0).reshape(-1, 1, 1, 1).clone()
            column = (-1, 1, 1, 1)
            with drawn(rand_like=[target.reshape(column), near.reshape(column)],
                       randn_like=[fake_noise, noise, match_noise]):
                loss = method.training_step(model, x.clone(), [c], [e], 0, None)
            settings = dict(
                kind="twinflow", condition_shift=[scale, offset], order=order,
                enhanced_ratio=ratio, target_ema_decay=0.0, rectification=weight,
                # The last group gets what the others leave.
                groups=dict(
                    end_to_end=ends, multi_step=ends, any_step=ends, adversarial=rows - 3 * ends))
            return "src/methodes/apex/apex.py APEX.training_step", settings, {
                "loss": loss, **gradients(network, loss)}
        return make

    return {
        "apex": (5, step(-0.5, 1.0, 2, 0.5, 0.5)),
        "apex_negated": (8, step(-1.0, 0.0, 1, 0.8, 1.0)),
    }


def ucgm(folder):
    """The training step of UCGM for few-step generation from data."""
    with sources(folder):
        from methods.unigen import UCGMTS

    def step(robustness, span):
        def make(inputs):
            x, c, e = inputs.batch()
            # Their difference needs times beyond 0 and 1 where these are near.
            t, noise = inputs.uniform("draw.time", *span), inputs.normal("draw.noise")
            inputs.unused("draw.highest")
            network = inputs.network("model")
            # The code drops the labels of the last rows.
            table = torch.cat([c, e[:1]])
            inputs.keep("c", torch.cat([c[:-1], e[-1:]]))

            class Labelled(torch.nn.Module):
                num_classes = inputs.rows

                def forward(self, x_t, t, y):
                    return network(x_t, t, torch.zeros_like(t), table[y])

            class Parallel(torch.nn.Module):
                module = Labelled()

                def forward(self, *given, **named):
                    return self.module(*given, **named)

            method = UCGMTS(
                consistc_ratio=1.0, ema_decay_rate=0.0, scaled_cbl_eps=robustness,
                weight_funcion="Cosine", lab_drop_ratio=1 / inputs.rows)
            method.sample_beta = lambda a, b, size: t.reshape(size)
            with drawn(randn_like=[noise]):
                loss = method.training_step(Parallel(), x, torch.arange(inputs.rows))
            settings = dict(
                kind="consistency", derivative="difference", tangent="clamped",
                robustness=robustness)
            return "methods/unigen.py UCGMTS.training_step", settings, {
                "loss": loss, **gradients(network, loss)}
        return make

    return {"ucgm": (5, step(5.0, (0.05, 0.95))), "ucgm_late": (4, step(0.5, (0.9, 0.99)))}


def soflow(folder):
    """The two losses of solution flow models."""
    with sources(folder, ("timm",)):
        from models import Scheduler, Soflow

    def step(ratio, power, offset, guidance=1.0, mix=1.0):
        def make(inputs):
            x, c, e = inputs.batch()
            rows, near = inputs.rows, inputs.rows // 2
            t, s = inputs.uniform("draw.time", 0.4, 1), inputs.uniform("far", 0, 0.3)
            del inputs.arrays["far"]
            s = inputs.keep("draw.target", torch.where(torch.arange(rows) < near, t, s))
            noise, network = inputs.normal("draw.noise"), inputs.network("model")
            table = torch.cat([c, e[:1]])

            class Labelled(torch.nn.Module):
                def forward(self, x_t, t, s, labels, _):
                    empty = e[:1].expand(x_t.shape[0], -1)
                    return network(x_t, t, s, empty if labels is None else table[labels])

            method = Soflow.__new__(Soflow)
            torch.nn.Module.__init__(method)
            method.scheduler, method.network = Scheduler(), Labelled()
            method.num_classes = rows
            settings = dict(
                cfg_scale=guidance, cfg_decay_time=1.0, p=power, eps=offset, mix_ratio=mix)
            column = (-1, 1, 1, 1)

            def part(part):
                return dict(
                    samples=x[part], labels=torch.arange(rows)[part],
                    cfg_mask=torch.zeros(len(x[part]), dtype=torch.bool), augment_labels=None,
                    t=t[part].reshape(column), **settings)

            with drawn(randn_like=[noise[:near], noise[near:]]):
                velocity, square, _ = method.get_velocity_loss(**part(slice(near)))
                far = slice(near, rows)
                middle = method.get_middle_time(
                    t[far], s[far], 0, 1, end_ratio=ratio, method="Const")
                solution, quotient, _ = method.get_consistency_loss(
                    l=middle, s=s[far], **part(far))
            # As in its training loop.
            share = near / rows
            loss = velocity * share + solution * (1 - share)
            return "models.py Soflow", dict(
                kind="mean-flow", form="solution", step_ratio=ratio, weight_power=power,
                weight_offset=offset, reduction="mean", guidance=mix * guidance,
                guidance_mix=1 - mix,
            ), {
                "metrics.mean_square": square * share + quotient * (1 - share),
                **gradients(network, loss)}
        return make

    return {
        "soflow": (6, step(0.1, 1.0, 0.01)),
        "soflow_power": (4, step(0.02, 0.75, 0.001)),
        "soflow_guided": (6, step(0.05, 1.0, 0.01, guidance=3.0, mix=0.25)),
    }


def sid(folder):
    """The generator's loss of score identity distillation."""
    with sources(folder, ("requests",)):
        from training.sid_loss import SID_EDMLoss

    def step(alpha):
        def make(inputs):
            x, c, _ = inputs.batch()
            start, noise = inputs.normal("draw.start"), inputs.normal("draw.noise")
            place = inputs.uniform("place")
            del inputs.arrays["place"]
            inputs.unused("draw.following_time")
            inputs.unused("draw.following_noise", shape=x.shape[1:])
            network, teacher, fake = (
                inputs.network(name) for name in ("model", "teacher", "fake"))
            sigmas = []

            def denoiser(velocity):
                """The data at `x + σ·noise`, which is (1 + σ) times the linear path's point."""
                def data(noised, sigma, labels, augment_labels):
                    sigmas.append(sigma.flatten())
                    t = sigma / (1 + sigma)
                    point = noised / (1 + sigma)
                    return point - t * velocity(point, t, t, labels)
                return data

            one = torch.ones(inputs.rows, dtype=x.dtype)
            images = start - network(start, one, 0 * one, c)
            with drawn(rand=[place.reshape(-1, 1, 1, 1)], randn_like=[noise]):
                losses = SID_EDMLoss().generator_loss(
                    denoiser(teacher), denoiser(fake), images, c, alpha=alpha)
            t = sigmas[0] / (1 + sigmas[0])
            inputs.keep("draw.time", (t - 0.02) / 0.96)
            # As in its training loop, with a `loss_scaling_G` of 1 over the elements.
            loss = losses.sum() * (1 / x[0].numel() / inputs.rows)
            return "training/sid_loss.py SID_EDMLoss.generator_loss", dict(
                kind="score-identity", alpha=alpha
            ), {"loss": loss, **gradients(network, loss)}
        return make

    return {"sid": (5, step(1.0)), "sid_alpha": (4, step(1.2))}


def vsd(folder):
    """The generator's gradient of variational score distillation."""
    with sources(folder), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        from nerf.sd import StableDiffusion

    def step(guidance):
        def make(inputs):
            x, c, e = inputs.batch()
            start, noise = inputs.normal("draw.start"), inputs.normal("draw.noise")
            # One time for all rows.
            raw = inputs.keep("draw.time", inputs.uniform("draw.time")[:1].repeat(inputs.rows))
            time = (raw * 0.96 + 0.02)[0]
            inputs.unused("draw.following_time")
            inputs.unused("draw.following_noise", shape=x.shape[1:])
            network, teacher, fake = (
                inputs.network(name) for name in ("model", "teacher", "fake"))

            def predicted(velocity, point, condition):
                """The noise, as the networks of diffusion predict it."""
                times = time.repeat(point.shape[0])
                value = velocity(point, times, times, condition)
                return SimpleNamespace(sample=point + (1 - time) * value)

            method = SimpleNamespace(
                device="cpu", min_step=0, max_step=0,
                opt=SimpleNamespace(latent=True, sds=False, v_pred=False),
                # The linear path; its weight is 1 − alpha, here 1 − t.
                alphas=time.reshape(1),
                scheduler=SimpleNamespace(
                    add_noise=lambda data, noise, _: (1 - time) * data + time * noise),
                unet=lambda point, _, encoder_hidden_states: predicted(
                    teacher, point, encoder_hidden_states))
            one = torch.ones(inputs.rows, dtype=x.dtype)
            images = start - network(start, one, 0 * one, c)
            with drawn(randint=[torch.zeros(1, dtype=torch.long)], randn_like=[noise]):
                loss, *_ = StableDiffusion.train_step(
                    method, torch.cat([e, c]), images, guidance_scale=guidance,
                    q_unet=lambda point, _, c, shading: predicted(fake, point, c), pose=c)
            # It is the sum over the elements of a sample.
            return "nerf/sd.py StableDiffusion.train_step", dict(
                kind="distribution-matching", weight="noise", guidance=guidance,
            ), {name: value / x[0].numel() for name, value in gradients(network, loss).items()}
        return make

    return {"vsd": (4, step(7.5))}
