"""Mean flows, sCM and DMD2 as NVIDIA's FastGen computes them."""
from types import SimpleNamespace
from unittest import mock

import torch

from objective_case import Critic, drawn, gradients, sources

# What FastGen imports for data, logs and storage; its losses use none of it.
ABSENT = (
    "attrs", "loguru", "omegaconf", "ftfy", "einops", "imageio", "boto3", "botocore", "requests", "scipy")


def around(cls, **attributes):
    """A method of FastGen with these attributes, without the trainer that would make them."""
    method = cls.__new__(cls)
    torch.nn.Module.__init__(method)
    for name, value in dict(device=torch.device("cpu"), **attributes).items():
        setattr(method, name, value)
    return method


def cases(folder):
    """The cases by their names: how many rows, and what computes them."""
    with sources(folder, ABSENT):
        from fastgen.methods import DMD2Model, MeanFlowModel, SCMModel
        from fastgen.methods.consistency_model.sCM import TrigFlowPrecond
        from fastgen.methods.distribution_matching import dmd2 as dmd2_module
        from fastgen.networks.network import FastGenNetwork

    class Wrapped(FastGenNetwork):
        """The small network; without a target time it gets 0 if it jumps, else the time itself."""

        def __init__(self, network, jumps):
            super().__init__(net_pred_type="flow", schedule_type="rf")
            # The schedule ends at 0.999, for networks that divide by 1 − t.
            self.noise_scheduler._max_t = 1.0
            self.network, self.jumps = network, jumps

        def forward(self, x_t, t, condition=None, r=None, return_features_early=False,
                    feature_indices=None, return_logvar=False, fwd_pred_type=None, **rest):
            assert not rest, rest
            if r is None:
                r = torch.zeros_like(t) if self.jumps else t
            hidden = self.network.hidden(x_t, t, r, condition)
            features = [hidden[layer][:, None] for layer in sorted(feature_indices or [])]
            if return_features_early:
                return features
            output = self.noise_scheduler.convert_model_output(
                x_t, self.network.fc3(hidden[1]).reshape(x_t.shape), t, src_pred_type="flow",
                target_pred_type=fwd_pred_type or self.net_pred_type)
            if return_logvar:
                # There is no learned weight.
                return output, torch.zeros(x_t.shape[0], 1, dtype=x_t.dtype)
            return [output, features] if features else output

    def mean_flow(power, offset, guidance=None, mix=None):
        def make(inputs):
            x, c, e = inputs.batch()
            t, r = inputs.uniform("draw.time", 0.4, 1), inputs.uniform("far", 0, 0.4)
            del inputs.arrays["far"]
            # The first rows are those of flow matching.
            r = inputs.keep("draw.target", torch.where(torch.arange(inputs.rows) < 2, t, r))
            noise, network = inputs.normal("draw.noise"), inputs.network("model")
            config = SimpleNamespace(
                precision_amp_jvp=None, guidance_scale=guidance, guidance_mixture_ratio=mix,
                guidance_t_start=0.0, guidance_t_end=1.0, cond_dropout_prob=0.0,
                loss_config=SimpleNamespace(
                    use_cd=False, use_jvp_finite_diff=False, tangent_warmup_steps=0,
                    loss_type="l2", norm_method=f"poly_{power}", norm_const=offset))
            method = around(
                MeanFlowModel, config=config, loss_config=config.loss_config,
                precision_amp_jvp=None, net=Wrapped(network, jumps=True))
            # Conditions are dropped where a number is below 0.
            kept = [torch.ones(inputs.rows)] if guidance or mix else []
            with drawn(randn_like=[noise], rand=kept):
                losses, _, _, tangent, *_ = method._compute_mf_loss(
                    x, t, r, iteration=0, condition=c, neg_condition=e)
            settings = dict(kind="mean-flow", weight_power=power, weight_offset=offset)
            if guidance is not None:
                settings["guidance"] = guidance
            if mix is not None:
                settings["guidance_mix"] = mix
            loss = losses.mean()
            return "consistency_model/mean_flow.py MeanFlowModel._compute_mf_loss", settings, {
                "loss": loss, "details.regression": tangent, **gradients(network, loss)}
        return make

    def scm(deviation, teacher=False, guidance=None):
        def make(inputs):
            x, c, e = inputs.batch()
            t, noise = inputs.uniform("draw.time", 0.05, 0.95), inputs.normal("draw.noise")
            inputs.unused("draw.highest")
            network = inputs.network("model")
            config = SimpleNamespace(
                precision_amp_jvp=None, guidance_scale=guidance, skip_layers=None,
                sample_t_cfg=SimpleNamespace(quantize=False, sigma_data=deviation),
                loss_config=SimpleNamespace(
                    use_cd=teacher, use_jvp_finite_diff=False, tangent_warmup_steps=1,
                    tangent_warmup_const=0.1, g_norm_spatial_invariance=True,
                    # A weight of 1/σ beside that of the tangent, and a factor for all.
                    prior_weighting_enabled=False, divide_x_0_spatial_dim=False))
            net = Wrapped(network, jumps=True)
            method = around(
                SCMModel, config=config, loss_config=config.loss_config,
                sample_t_cfg=config.sample_t_cfg, sigma_data=deviation, precision_amp_jvp=None,
                net=net, net_trigflow=TrigFlowPrecond(net, sigma_data=deviation))
            if teacher:
                method.teacher_trigflow = TrigFlowPrecond(
                    Wrapped(inputs.network("teacher"), jumps=False), sigma_data=deviation)
            with drawn(randn_like=[noise]):
                losses, *_ = method._compute_scm_loss(
                    x, t, condition=c, neg_condition=e, iteration=1)
            settings = dict(
                kind="consistency", parametrization="trigonometric", data_deviation=deviation)
            if teacher:
                settings["source"] = "teacher"
            if guidance is not None:
                settings["guidance"] = guidance
            loss = losses.mean()
            return "consistency_model/sCM.py SCMModel._compute_scm_loss", settings, {
                "loss": loss, **gradients(network, loss)}
        return make

    def dmd2(guidance=None, weight=0.0, same_noise=True):
        def make(inputs):
            x, c, e = inputs.batch()
            start, noise = inputs.normal("draw.start"), inputs.normal("draw.noise")
            # One time and noise for everything that is made: the score, the fakes and the critic.
            raw = inputs.uniform("draw.time").double()
            t = raw * 0.96 + 0.02
            inputs.keep("draw.following_time", t)
            inputs.keep("draw.following_noise", noise)
            network, teacher, fake = (
                inputs.network(name) for name in ("model", "teacher", "fake"))
            nets = dict(
                net=Wrapped(network, jumps=True), teacher=Wrapped(teacher, jumps=False),
                fake_score=Wrapped(fake, jumps=False))
            config = SimpleNamespace(
                gan_loss_weight_gen=weight, guidance_scale=guidance, skip_layers=None,
                fake_score_pred_type=None, gan_use_same_t_noise=same_noise, gan_r1_reg_weight=0,
                sample_t_cfg={})
            method = around(DMD2Model, config=config, **nets)
            # Samples for the log.
            method._get_outputs = lambda *_, **__: {}
            settings = dict(kind="distribution-matching")
            if guidance is not None:
                settings["guidance"] = guidance
            others = []
            if weight > 0:
                settings["adversarial"] = dict(weight=weight, layers=[0, 1], hidden=5)
                method.discriminator = inputs.network("critic", Critic([0, 1]))
                inputs.keep("draw.critic_time", raw)
                inputs.keep("draw.critic_noise", noise)
                inputs.unused("draw.critic_change", shape=x.shape[1:])
                if same_noise:
                    inputs.keep("draw.critic_real_time", raw)
                    inputs.keep("draw.critic_real_noise", noise)
                else:
                    real = inputs.uniform("draw.critic_real_time").double() * 0.96 + 0.02
                    others = [inputs.normal("draw.critic_real_noise")]
                    method.net.noise_scheduler.sample_t = lambda *_, **__: real
            one = torch.ones(inputs.rows, dtype=torch.float64)
            with drawn():
                loss, _ = method._student_update_step(
                    start, one, t, noise, dict(real=x), condition=c, neg_condition=e)
            with drawn(randn_like=others), mock.patch.object(
                    dmd2_module, "convert_cfg_to_dict", dict):
                following, _ = method._fake_score_discriminator_update_step(
                    start, one, t, noise, x, condition=c)
            expected = {
                "loss": loss["total_loss"], **gradients(network, loss["total_loss"]),
                "fake.loss": following["fake_score_loss"],
                **gradients(fake, following["fake_score_loss"], "fake.")}
            if weight > 0:
                expected.update({
                    "critic.loss": following["gan_loss_disc"],
                    **gradients(method.discriminator, following["gan_loss_disc"], "critic.")})
            return "distribution_matching/dmd2.py DMD2Model", settings, expected
        return make

    return {
        "meanflow": (5, mean_flow(1.0, 0.01)),
        "meanflow_power": (4, mean_flow(0.75, 1e-3)),
        "meanflow_guided": (6, mean_flow(1.0, 1.0, guidance=0.6, mix=0.3)),
        "scm": (5, scm(0.5)),
        "scd": (4, scm(0.7, teacher=True)),
        "scd_guided": (4, scm(1.0, teacher=True, guidance=2.5)),
        "dmd": (4, dmd2(guidance=1.75)),
        "dmd2": (4, dmd2(weight=0.25)),
        "dmd2_real_noise": (3, dmd2(weight=0.03, guidance=3.0, same_noise=False)),
    }
