import ArgumentParser
import Flow
import Foundation
import Layers
import Models
import Optimizers
import Tensors
import Training

/// Times our side of a piece of work; prints one JSON line for each thing measured.
///
/// The other side is `Benchmarks/pytorch/bench.py`, which prints the same lines.
struct Bench: ParsableCommand {
  static let configuration = CommandConfiguration(commandName: "twinflow-bench")

  enum Work: String, ExpressibleByArgument, CaseIterable {
    case unetStep = "unet-step"
    case ditStep = "dit-step"
    case unetSample = "unet-sample"
    case ditSample = "dit-sample"
    /// A product of matrices of 2048 × 2048, for the rate that the others are measured by.
    case product
  }

  @Argument(help: "What is timed.")
  var work: Work

  @Option(help: "How many runs are timed.")
  var steps = 3

  @Flag(inversion: .prefixedNo, help: "Whether our own kernels are used.")
  var kernels = true

  @Option(help: "How many runs come before, untimed.")
  var warmup = 1

  func run() throws {
    let engine = try Engine(kernels: kernels)
    let work = try self.work.prepare(on: engine)
    let compilation = work.function.compilation
    emit([
      "trace_s": compilation.tracing, "compile_s": compilation.compiling,
      "cached": compilation.cached,
    ])
    var arguments = work.arguments
    for i in 0..<(warmup + steps) {
      let start = ContinuousClock.now
      let results = try work.function(arguments)
      let value = try results[work.value]!.array(of: Float.self)[0]
      let seconds = (ContinuousClock.now - start).seconds
      for (name, buffer) in results.pairs where arguments[name] != nil { arguments[name] = buffer }
      if i >= warmup { emit(["step": i - warmup, "seconds": seconds, work.value: value]) }
    }
  }

  private func emit(_ facts: [String: Any]) {
    let data = try? JSONSerialization.data(withJSONObject: facts, options: [.sortedKeys])
    print(String(decoding: data ?? Data(), as: UTF8.self))
  }
}

/// A compiled program with its arguments and the result that is printed.
struct PreparedWork {
  let function: CompiledFunction
  let arguments: Named<ShardedArray>
  let value: String
}

extension Bench.Work {
  private var model: ModelConfig {
    switch self {
    case .unetStep, .unetSample: return .tutorialUNet(TutorialUNetConfig())
    case .ditStep, .ditSample, .product:
      var config = DiTConfig()
      config.patch = 2
      return .dit(config)
    }
  }

  func prepare(on engine: Engine) throws -> PreparedWork {
    switch self {
    case .unetStep:
      return try step(
        on: engine, batch: 128, rate: 2e-4, objective: TutorialTwinFlow(TutorialSettings()))
    case .ditStep:
      return try step(
        on: engine, batch: 64, rate: 3e-4, objective: TwinFlow(TwinFlowSettings(), batch: 64))
    case .unetSample, .ditSample: return try sample(on: engine)
    case .product: return try product(on: engine)
    }
  }

  private func step(
    on engine: Engine, batch: Int, rate: Double, objective: any Objective
  ) throws -> PreparedWork {
    let (model, optimizer) = (model, AdamW())
    let declared = model.weights
    var arguments = try engine.compile(Named()) { _ in
      let weights = declared.initialized(Key(seed: 1))
      var state = weights.prefixed("weights").merging(weights.prefixed("average"))
      let moments = optimizer.state(for: weights.mapValues(\.type))
      state.merge(moments.mapValues { .zeros($0.shape, $0.dtype) }.prefixed("optimizer"))
      state["step"] = .constant(0, .float32)
      state["decay"] = .constant(0, .float32)
      return state
    }(Named())
    let state = Set(arguments.names)
    let image = model.sample.shape.sizes
    let pixels = (0..<batch * image.reduce(1, *)).map { Float(sin(Double($0 % 1009) * 0.05)) }
    arguments["images"] = try engine.array(pixels, shape: [batch] + image)
    arguments["labels"] = try engine.array(
      (0..<batch).map { Int32($0 % 10) }, shape: [batch])
    let function = try engine.compile(arguments.types, donating: state.contains) { a in
      let (weights, step, decay) = (a.group("weights"), a["step"]!, a["decay"]!)
      let average = a.group("average").averaged(with: weights, rate: decay)
      let labels = a["labels"]!
      let loss = objective(
        Networks(
          live: model.velocityModel(weights)!, target: model.velocityModel(average.stopGradient())!),
        Samples(
          data: a["images"]!, condition: Named([("label", labels)]),
          unconditional: Named([("label", labels.zerosLike + 10)])),
        key: Key(seed: 7).folded(step.cast(to: .int32)))
      let gradients = loss.total.gradients(for: weights).clipped(toNorm: 1).values
      let updated = optimizer.update(
        weights, gradients, a.group("optimizer"), rate: .constant(rate, .float32), step: step)
      var results = updated.weights.prefixed("weights").merging(average.prefixed("average"))
      results.merge(updated.state.prefixed("optimizer"))
      results["step"] = step + 1
      results["decay"] = decay + (1 - decay) * (0.99 - decay) * 0.5
      results["loss"] = loss.total
      return results
    }
    return PreparedWork(function: function, arguments: arguments, value: "loss")
  }

  private func product(on engine: Engine) throws -> PreparedWork {
    let count = 2048
    let numbers = (0..<count * count).map { Float($0 % 7) * 0.1 }
    let matrix = try engine.array(numbers, shape: [count, count])
    let arguments = Named([("a", matrix), ("b", matrix)])
    let function = try engine.compile(arguments.types) { a in
      let product = a["a"]!.matmul(a["b"]!)
      return Named([("product", product), ("corner", product[0..<1].sum())])
    }
    return PreparedWork(function: function, arguments: arguments, value: "corner")
  }

  private func sample(on engine: Engine) throws -> PreparedWork {
    let (model, batch) = (model, 100)
    let weights = try engine.compile(Named()) { _ in
      model.weights.initialized(Key(seed: 1))
    }(Named())
    var arguments = weights.prefixed("weights")
    arguments["key"] = try engine.array([1, 2] as [UInt64], shape: [2])
    arguments["labels"] = try engine.array(
      (0..<batch).map { Int32($0 % 10) }, shape: [batch])
    let function = try engine.compile(arguments.types) { a in
      let noise = Key(a["key"]!).normal(Shape([batch] + model.sample.shape.sizes))
      let images = Sampler(.preset(1))(
        model.velocityModel(a.group("weights"))!, noise: noise,
        condition: Named([("label", a["labels"]!)]), key: Key(seed: 1))
      return Named([("mean", images.mean())])
    }
    return PreparedWork(function: function, arguments: arguments, value: "mean")
  }
}

Bench.main()
