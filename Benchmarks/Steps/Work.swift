import Flow
import Foundation
import Layers
import Models
import Optimizers
import Tensors
import Training

/// A compiled program with its arguments and the result that is printed.
struct PreparedWork {
  let function: CompiledFunction
  let arguments: Named<ShardedArray>
  let value: String

  /// A product of square matrices.
  static func product(_ size: Int, _ dtype: DType, on engine: Engine) throws -> PreparedWork {
    let arguments = try engine.compile(Named()) { _ in
      let numbers =
        Tensor.iota([size, size], .int32).remainder(.constant(7, .int32)).cast(to: dtype) * 0.1
      return Named([("a", numbers), ("b", numbers + 0.1)])
    }(Named())
    let function = try engine.compile(arguments.types) { a in
      let product = a["a"]!.matmul(a["b"]!)
      return Named([
        ("product", product), ("corner", product[0..<1].cast(to: .float32).sum()),
      ])
    }
    return PreparedWork(function: function, arguments: arguments, value: "corner")
  }
}

extension Bench.Work {
  private var model: ModelConfig {
    switch self {
    case .unetStep, .unetSample: return .tutorialUNet(TutorialUNetConfig())
    case .ditGradient:
      var config = DiTConfig()
      (config.patch, config.width, config.heads) = (2, 384, 6)
      return .dit(config)
    case .deepStep:
      var config = DiTConfig()
      (config.depth, config.execution) = (60, .scanned)
      return .dit(config)
    case .ditStep, .ditSample, .product, .decoder, .recipe, .count, .evaluation,
      .operations:
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
    case .deepStep:
      return try step(
        on: engine, batch: 8, rate: 3e-4, objective: TwinFlow(TwinFlowSettings(), batch: 8))
    case .ditGradient: return try gradient(on: engine, batch: 32)
    case .decoder: return try decoder(on: engine)
    case .unetSample, .ditSample: return try sample(on: engine)
    case .product, .recipe, .count, .evaluation, .operations:
      preconditionFailure("\(self) has a way of its own")
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

  /// A forward and a backward run of the network.
  private func gradient(on engine: Engine, batch: Int) throws -> PreparedWork {
    let model = model
    let image = model.sample.shape.sizes
    let weights = try engine.compile(Named()) { _ in
      model.weights.initialized(Key(seed: 1))
    }(Named())
    var arguments = weights.prefixed("weights")
    let pixels = (0..<batch * image.reduce(1, *)).map { Float(sin(Double($0 % 1009) * 0.05)) }
    arguments["images"] = try engine.array(pixels, shape: [batch] + image)
    arguments["times"] = try engine.array(
      (0..<batch).map { Float($0) / Float(batch) }, shape: [batch])
    arguments["labels"] = try engine.array((0..<batch).map { Int32($0 % 10) }, shape: [batch])
    let function = try engine.compile(arguments.types) { a in
      let weights = a.group("weights")
      let velocity = model.velocityModel(weights)!(
        a["images"]!, time: a["times"]!, target: a["times"]!,
        condition: Named([("label", a["labels"]!)]))
      let loss = (velocity - a["images"]!).squared().mean()
      var results = loss.gradients(for: weights).prefixed("gradients")
      results["loss"] = loss
      return results
    }
    return PreparedWork(function: function, arguments: arguments, value: "loss")
  }

  /// One picture of 256 × 256 from latents.
  private func decoder(on engine: Engine) throws -> PreparedWork {
    var config = AutoencoderKLConfig()
    config.latentChannels = 16
    config.widths = [128, 256, 512, 512]
    config.blocks = 2
    (config.hasMiddleAttention, config.hasDecoderConvolution) = (false, false)
    let declared = Scope.declare { AutoencoderKLDecoder($0, config) }
    let weights = try engine.compile(Named()) { _ in declared.initialized(Key(seed: 1)) }(Named())
    var arguments = weights.prefixed("weights")
    let count = 32 * 32 * config.latentChannels
    arguments["latents"] = try engine.array(
      (0..<count).map { Float(sin(Double($0 % 1009))) }, shape: [1, 32, 32, config.latentChannels])
    let function = try engine.compile(arguments.types) { a in
      let decoder = Scope.bind(a.group("weights")) { AutoencoderKLDecoder($0, config) }
      return Named([("mean", decoder(a["latents"]!).mean())])
    }
    return PreparedWork(function: function, arguments: arguments, value: "mean")
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
