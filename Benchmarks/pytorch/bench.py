"""Times a workload in PyTorch; prints one JSON line per measurement."""

import argparse
import json
import math
import sys
import time

sys.dont_write_bytecode = True

import torch

import networks
import steps

WORKS = ("unet-step", "dit-step", "dit-gradient", "unet-sample", "dit-sample", "decoder",
         "frame-decoder", "qwen-block", "text-layer", "sana-block", "sana-gradient", "dc-decoder",
         "dc-gradient")


def emit(**facts):
    print(json.dumps(facts), flush=True)


def batch_of(count):
    """Images that can be learned: a bright disc at a position that depends on the class, with noise."""
    label = torch.randint(0, 10, (count,))
    angle = 2 * torch.pi * label / 10
    row = (14 + 7 * angle.sin()).reshape(-1, 1, 1)
    column = (14 + 7 * angle.cos()).reshape(-1, 1, 1)
    line = torch.arange(28.0)
    distance = (line[:, None] - row).square() + (line[None, :] - column).square()
    image = 2 * torch.exp(-distance / 12) - 1 + 0.05 * torch.randn(count, 28, 28)
    return image.clamp(-1, 1).unsqueeze(1), label


def gemm_peak():
    """The peak f32 GFLOP/s of MKL's matrix multiplication and oneDNN's 1 x 1 convolution.

    MKL is slower on processors of other makers, so it alone would not give the peak. The second
    results are by the time of all threads together.
    """
    rates, cpu_rates = {}, {}
    for size in (1024, 2048):
        a, b = torch.randn(size, size), torch.randn(size, size)
        out = torch.empty(size, size)
        image = torch.randn(size // 64, size, 8, 8).to(memory_format=torch.channels_last)
        kernel = torch.randn(size, size, 1, 1)
        works = {
            f"mkl {size}": lambda: torch.mm(a, b, out=out),
            f"onednn {size}": lambda: torch.nn.functional.conv2d(image, kernel),
        }
        for name, work in works.items():
            best = cpu_best = float("inf")
            for _ in range(8):
                start, used = time.perf_counter(), time.process_time()
                work()
                best = min(best, time.perf_counter() - start)
                cpu_best = min(cpu_best, time.process_time() - used)
            rates[name] = round(2 * size**3 / best / 1e9, 1)
            cpu_rates[name] = round(2 * size**3 / cpu_best / 1e9, 1)
    return rates, cpu_rates


def count_flop(work):
    """The FLOPs of the matrix multiplications, convolutions and attention of one run."""
    from torch.utils import flop_counter

    aten = torch.ops.aten

    def convolution_backward(
            grad, image, weight, bias, stride, padding, dilation, transposed, output_padding, groups, wanted, **_):
        # PyTorch's own formula takes grouped convolutions for full ones.
        pixels = image if transposed else grad
        return sum(wanted[:2]) * 2 * math.prod(pixels) * math.prod(weight[1:])

    formulas = {
        aten._scaled_dot_product_flash_attention_for_cpu:
            lambda q, k, v, *_, out_shape=None, **__: flop_counter.sdpa_flop_count(q, k, v),
        aten._scaled_dot_product_flash_attention_for_cpu_backward:
            lambda g, q, k, v, *_, out_shape=None, **__:
                flop_counter.sdpa_backward_flop_count(g, q, k, v),
    }
    missing = {op: f for op, f in formulas.items() if op not in flop_counter.flop_registry}
    missing[aten.convolution_backward] = convolution_backward
    with flop_counter.FlopCounterMode(display=False, custom_mapping=missing) as counter:
        work()
    return counter.get_total_flops()


def sampler(network, count=100):
    label = torch.arange(count) % 10
    one, zero = torch.ones(count, 1, 1, 1), torch.zeros(count, 1, 1, 1)

    @torch.no_grad()
    def sample():
        noise = torch.randn(count, 1, 28, 28)
        return (noise - network(noise, one, zero, label)).mean().item()

    return sample


def gradient(network, count=32):
    images = torch.randn(count, 1, 28, 28)
    times = torch.arange(count).reshape(-1, 1, 1, 1) / count
    label = torch.arange(count) % 10

    def run():
        network.zero_grad(set_to_none=True)
        loss = (network(images, times, times, label) - images).square().mean()
        loss.backward()
        return loss.item()

    return run


def decoding(network, *sizes):
    latents = torch.randn(1, 16, *sizes)

    @torch.no_grad()
    def run():
        return network(latents).mean().item()

    return run


def prepared(options):
    """The workload as a function that returns a number, and the name of the number."""
    if options.work == "dit-gradient":
        network = networks.DiT(width=384, heads=6)
        return gradient(torch.compile(network) if options.compile else network), "loss"
    if options.work == "decoder":
        network = networks.ImageDecoder().eval()
        return decoding(torch.compile(network) if options.compile else network, 32, 32), "mean"
    if options.work == "frame-decoder":
        network = networks.FrameDecoder(taps=options.taps).eval()
        sizes = (64, 64) if options.taps == 1 else (1, 64, 64)
        return decoding(torch.compile(network) if options.compile else network, *sizes), "mean"
    if options.work in ("qwen-block", "text-layer"):
        import qwen

        part = qwen.block if options.work == "qwen-block" else qwen.text_layer
        return part(options), "mean"
    if options.work.startswith(("sana-", "dc-")):
        import sana

        return sana.prepared(options), "mean"
    is_unet = options.work.startswith("unet")
    network = networks.TutorialUNet() if is_unet else networks.DiT(heads=options.heads)
    if options.channels_last:
        network = network.to(memory_format=torch.channels_last)
    if options.work.endswith("sample"):
        network = network.eval()
        run = sampler(torch.compile(network) if options.compile else network)
        name = "mean"
    else:
        step = steps.TutorialStep(network) if is_unet else steps.SplitStep(network)
        if options.compile:
            step.network = torch.compile(step.network)
            step.average.network = torch.compile(step.average.network)
        size = 128 if is_unet else 64
        run = lambda: step(*batch_of(size))
        name = "loss"
    return run, name


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", choices=WORKS, required=True)
    parser.add_argument("--steps", type=int, default=5, help="measured runs")
    parser.add_argument("--warmup", type=int, default=1, help="runs before the measured ones")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--heads", type=int, default=3, help="attention heads of the transformer")
    parser.add_argument(
        "--taps", type=int, default=3, choices=[1, 3],
        help="the steps in time of the kernels of Qwen-Image's decoder: 3 as published, or 1")
    parser.add_argument("--tokens", type=int, default=512, help="tokens of the text encoder's layer")
    parser.add_argument(
        "--half", action="store_true", help="keep the matrices of Qwen-Image's networks in bf16")
    parser.add_argument(
        "--half-compute", action="store_true", help="keep them in bf16 and compute in bf16 as well")
    parser.add_argument("--gemm", action="store_true", help="measure the f32 GEMM peak")
    parser.add_argument("--flop", action="store_true", help="count the FLOP of one run")
    parser.add_argument("--compile", action="store_true", help="compile the networks of a step")
    parser.add_argument("--channels-last", action="store_true", help="lay images out by pixel")
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--tf32", action="store_true", help="compute f32 with TF32's 11 bits on a GPU")
    parser.add_argument("--parameters", action="store_true", help="list the weights and stop")
    options = parser.parse_args()

    torch.set_num_threads(options.threads)
    torch.set_default_device(options.device)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = options.tf32
    torch.manual_seed(options.seed)
    if options.parameters:
        network = networks.DiT() if options.work.startswith("dit") else networks.TutorialUNet()
        for name, weight in network.named_parameters():
            emit(name=name, shape=list(weight.shape))
        return
    if options.gemm:
        rates, cpu_rates = gemm_peak()
        emit(peer="pytorch", gemm_gflops=rates, gemm_cpu_gflops=cpu_rates)
    run, name = prepared(options)
    if options.flop:
        # Zeros before the only frame need no operations.
        counted = prepared(argparse.Namespace(**{**vars(options), "taps": 1}))[0]
        emit(work=options.work, flop=count_flop(counted))
    for _ in range(options.warmup):
        run()
    for index in range(options.steps):
        start, used = time.perf_counter(), time.process_time()
        value = run()
        seconds, cpu = time.perf_counter() - start, time.process_time() - used
        emit(work=options.work, peer="pytorch", step=index, seconds=seconds, cpu_seconds=cpu,
             **{name: value})


if __name__ == "__main__":
    main()
