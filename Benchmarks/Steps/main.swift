import Runtime
import ArgumentParser
import Foundation
import Tensors
import Training

extension DeviceKind: ExpressibleByArgument {}

/// Times a workload in this project; prints one JSON line per measurement.
///
/// `Benchmarks/pytorch/bench.py` prints the same lines for PyTorch.
struct Bench: ParsableCommand {
  static let configuration = CommandConfiguration(commandName: "twinflow-bench")

  enum Work: String, ExpressibleByArgument, CaseIterable {
    case unetStep = "unet-step"
    case ditStep = "dit-step"
    case ditGradient = "dit-gradient"
    case unetSample = "unet-sample"
    case ditSample = "dit-sample"
    case decoder
    /// The decoder of Qwen-Image's autoencoder.
    case frameDecoder = "frame-decoder"
    /// Qwen-Image's transformer with one block.
    case qwenBlock = "qwen-block"
    /// The language model of Qwen2.5-VL 7B with one layer.
    case textLayer = "text-layer"
    /// SANA's transformer with one block: linear attention and a Mix-FFN with depthwise convolutions.
    case sanaBlock = "sana-block"
    /// The same, forwards and backwards.
    case sanaGradient = "sana-gradient"
    /// The decoder of SANA's autoencoder.
    case deepDecoder = "dc-decoder"
    /// SANA's autoencoder, forwards and backwards.
    case deepGradient = "dc-gradient"
    /// A large-scale step of a transformer of 60 layers, to measure its compilation.
    case deepStep = "deep-step"
    /// A multiplication of square matrices, for the peak FLOP/s.
    case product
    /// Linear maps whose matrices are kept in some form.
    case linear
    /// A training run with a recipe.
    case recipe
    /// The time that devices wait for the host in a run with a recipe.
    case waiting
    /// The FLOPs of a recipe's step, without running it.
    case count
    /// An evaluation of a recipe's network.
    case evaluation
    /// Operations and gradients compared with their plain form on the CPU in f64.
    case operations
    /// A folder of weights, read to the device.
    case load
    /// A folder of a network that judges pictures: seconds a picture, and memory.
    case judge
    /// The answers of such a network with its weights in fewer bits, beside those as stored.
    case judgeWeights = "judge-weights"
  }

  @Argument(help: "What is timed.")
  var work: Work

  @Option(help: "How many runs are timed.")
  var steps = 3

  @Flag(inversion: .prefixedNo, help: "Whether our own kernels are used.")
  var kernels = true

  @Option(help: "How many runs come before, untimed.")
  var warmup = 1

  @Option(help: "What is computed on.")
  var device = DeviceKind.cpu

  @Option(help: "The recipe of the works that take one.")
  var recipe: String?

  @Option(name: .customLong("set"), help: "Replaces a value of the recipe.")
  var settings: [String] = []

  @Option(help: "The folder that is loaded or judges, with config.json and safetensors files.")
  var folder: String?

  @Option(
    help:
      "How weights are kept: stored, bf16, f32, f8 (not when loading), int8, int8-groups or int4.")
  var storage = LoadedType.stored

  @Option(help: "The rows of the product's matrices, or the features of linear maps.")
  var size = 2048

  @Option(
    help: "The height and width of the image that Qwen-Image's decoder makes, or that is judged.")
  var image = 512

  @Option(help: "How many questions are asked about a picture that is judged.")
  var questions = 4

  @Option(help: "The tokens of text of the text encoder's layer.")
  var tokens = 512

  @Flag(
    help: "Whether the product, linear maps, or the weights of Qwen-Image's networks, are of bf16.")
  var half = false

  func run() throws {
    if work == .count { return try countRecipe() }
    if work == .operations {
      // Timing the algorithms takes minutes, and the fastest is not needed.
      let flags = ProcessInfo.processInfo.environment["XLA_FLAGS"] ?? ""
      setenv("XLA_FLAGS", flags + " --xla_gpu_autotune_level=0", 1)
    }
    let engine = try Engine(device: device, kernels: kernels)
    switch work {
    case .recipe: try runRecipe(decoded(), on: engine)
    case .load: try runLoad(on: engine)
    case .judge: try runJudge(on: engine)
    case .judgeWeights: try compareJudgeWeights(on: engine)
    case .waiting: try measureWaiting(decoded(), on: engine)
    case .evaluation: try runEvaluation(on: engine)
    case .operations:
      guard try OperationsCheck(on: engine).run() else { throw ExitCode.failure }
    case .product: try run(PreparedWork.product(size, half ? .bfloat16 : .float32, on: engine))
    case .linear:
      try run(
        PreparedWork.linear(size, storage.storage, half ? .bfloat16 : .float32, on: engine))
    default:
      let folder =
        NSTemporaryDirectory() + "twinflow-bench-\(ProcessInfo.processInfo.processIdentifier)"
      defer { try? FileManager.default.removeItem(atPath: folder) }
      if let recipe = try work.recipe(output: folder) {
        try runRecipe(recipe, on: engine)
      } else {
        try run(
          work.prepare(
            image: image, tokens: tokens, half ? .bfloat16 : .float32, on: engine))
      }
    }
  }

  private func run(_ work: PreparedWork) throws {
    let compilation = work.function.compilation
    emit([
      "trace_s": compilation.tracing, "compile_s": compilation.compiling,
      "cached": compilation.cached, "planned_bytes": work.function.executable.memory?.total ?? 0,
    ])
    var arguments = work.arguments
    for i in 0..<(warmup + steps) {
      let (start, used) = (ContinuousClock.now, clock())
      let results = try work.function(arguments)
      let value = try results[work.value]!.array(of: Float.self)[0]
      let seconds = (ContinuousClock.now - start).seconds
      let cpu = Double(clock() - used) / Double(CLOCKS_PER_SEC)
      for (name, buffer) in results.pairs where arguments[name] != nil { arguments[name] = buffer }
      if i >= warmup {
        emit(["step": i - warmup, "seconds": seconds, "cpu_seconds": cpu, work.value: value])
      }
    }
  }

  func emit(_ facts: [String: Any]) {
    let data = try? JSONSerialization.data(withJSONObject: facts, options: [.sortedKeys])
    print(String(decoding: data ?? Data(), as: UTF8.self))
  }
}

Bench.main()
