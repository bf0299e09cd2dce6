import Runtime
import Flow
import Foundation
import Layers
import Models
import Recipe
import Tensors
import Training

/// A compiled program with its arguments and the name of the printed result.
struct PreparedWork {
  let function: CompiledFunction
  let arguments: Named<ShardedArray>
  let value: String

  /// A multiplication of square matrices.
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
  /// The network of the workloads without a recipe.
  private var model: ModelConfig {
    switch self {
    case .unetStep, .unetSample: return ModelConfig(TutorialUNetConfig())
    case .ditGradient:
      var config = DiTConfig()
      (config.patch, config.width, config.heads) = (2, 384, 6)
      return ModelConfig(config)
    case .deepStep:
      var config = DiTConfig()
      (config.depth, config.execution) = (60, .scanned)
      return ModelConfig(config)
    case .ditStep, .ditSample, .product, .linear, .decoder, .frameDecoder, .qwenBlock, .textLayer,
      .sanaBlock, .sanaGradient, .deepDecoder, .deepGradient, .recipe, .waiting, .count,
      .evaluation, .operations, .load, .judge, .judgeWeights:
      var config = DiTConfig()
      config.patch = 2
      return ModelConfig(config)
    }
  }

  /// The training run whose step is timed, nil for other workloads.
  func recipe(output: String) throws -> TrainingRecipe? {
    let (preset, rate, batch): (String, String, Int)
    switch self {
    case .unetStep: (preset, rate, batch) = ("tutorial", "2e-4", 128)
    case .ditStep: (preset, rate, batch) = ("twinflow", "3e-4", 64)
    case .deepStep: (preset, rate, batch) = ("twinflow", "3e-4", 8)
    default: return nil
    }
    let yaml = """
      model: \(model)
      objective: {preset: \(preset)}
      data: {kind: noise, size: 28, channels: 1}
      optimizer: {kind: adamw, learning_rate: \(rate), max_grad_norm: 1}
      batch: \(batch)
      steps: 1000
      output: \(output)
      """
    return try RecipeDecoder.decode(yaml: yaml, file: rawValue)
  }

  /// Compiles the workload.
  ///
  /// - Parameters:
  ///   - image: the height and width of the image of `frameDecoder`.
  ///   - tokens: the tokens of `textLayer`.
  ///   - dtype: the element type of the weights of Qwen-Image's networks.
  func prepare(
    image: Int, tokens: Int, _ dtype: DType, on engine: Engine
  ) throws -> PreparedWork {
    switch self {
    case .ditGradient: return try gradient(on: engine, batch: 32)
    case .decoder: return try decoder(on: engine)
    case .frameDecoder:
      let config = AutoencoderKLQwenImageConfig()
      let (side, channels) = (image / config.reduction, config.latentChannels)
      return try decoder(
        Scope.declare { AutoencoderKLQwenImageDecoder($0, config) },
        dtype, latents: [1, side, side, channels], on: engine
      ) { AutoencoderKLQwenImageDecoder($0, config)($1) }
    case .qwenBlock: return try qwenBlock(dtype, on: engine)
    case .textLayer: return try textLayer(dtype, tokens: tokens, on: engine)
    case .sanaBlock, .sanaGradient:
      return try sanaBlock(backwards: self == .sanaGradient, on: engine)
    case .deepDecoder, .deepGradient:
      return try deepCompression(backwards: self == .deepGradient, on: engine)
    case .unetSample, .ditSample: return try sample(on: engine)
    case .unetStep, .ditStep, .deepStep, .product, .linear, .recipe, .waiting, .count, .evaluation,
      .operations, .load, .judge, .judgeWeights:
      preconditionFailure("\(self) is prepared elsewhere")
    }
  }

  /// A forward and a backward pass of the network.
  private func gradient(on engine: Engine, batch: Int) throws -> PreparedWork {
    let model = model
    let image = model.sampleShape().sizes
    let weights = try engine.compile(Named()) { _ in
      model.weights.initialized(Key(seed: 1))
    }(Named())
    var arguments = weights.prefixed("weights")
    let pixels = (0..<batch * image.reduce(1, *)).map { Float(sin(Double($0 % 1009) * 0.05)) }
    arguments["images"] = try engine.array(pixels, shape: [batch] + image)
    arguments["times"] = try engine.array(
      (0..<batch).map { Float($0) / Float(batch) }, shape: [batch])
    arguments["classes"] = try engine.array((0..<batch).map { Int32($0 % 10) }, shape: [batch])
    let function = try engine.compile(arguments.types) { a in
      let weights = a.group("weights")
      let velocity = model.velocityModel(weights)!(
        a["images"]!, time: a["times"]!, target: a["times"]!,
        condition: Named([("class", a["classes"]!)]))
      let loss = (velocity - a["images"]!).squared().mean()
      var results = loss.gradients(for: weights).prefixed("gradients")
      results["loss"] = loss
      return results
    }
    return PreparedWork(function: function, arguments: arguments, value: "loss")
  }

  /// The decoding of one picture of 256 × 256.
  private func decoder(on engine: Engine) throws -> PreparedWork {
    var config = AutoencoderKLConfig()
    config.latentChannels = 16
    config.widths = [128, 256, 512, 512]
    config.blocks = 2
    (config.hasMiddleAttention, config.hasDecoderConvolution) = (false, false)
    return try decoder(
      Scope.declare { AutoencoderKLDecoder($0, config) },
      latents: [1, 32, 32, config.latentChannels], on: engine
    ) { AutoencoderKLDecoder($0, config)($1) }
  }

  /// The decoding of latents of a shape.
  private func decoder(
    _ declared: Named<ParameterSpec>, _ dtype: DType = .float32, latents: Shape, on engine: Engine,
    _ decode: (Scope, Tensor) -> Tensor
  ) throws -> PreparedWork {
    let weights = try engine.compile(Named()) { _ in
      declared.initialized(Key(seed: 1)).mapValues { $0.cast(to: dtype) }
    }(Named())
    let decoding = PreparedFunction(
      weights: weights.types, inputs: Named([("latents", TensorType(latents, .float32))])
    ) { weights, inputs in
      Named([("mean", decode(Scope(weights), inputs["latents"]!).mean())])
    }
    let prepared = try engine.compile(weights.types, decoding.prepare)(weights)
    var arguments = prepared.prefixed("weights")
    arguments["latents"] = try engine.array(
      (0..<latents.count).map { Float(sin(Double($0 % 1009))) }, shape: latents.sizes)
    let function = try engine.compile(arguments.types) { decoding($0.group("weights"), $0) }
    return PreparedWork(function: function, arguments: arguments, value: "mean")
  }

  private func sample(on engine: Engine) throws -> PreparedWork {
    let (model, batch) = (model, 100)
    let weights = try engine.compile(Named()) { _ in
      model.weights.initialized(Key(seed: 1))
    }(Named())
    var arguments = weights.prefixed("weights")
    arguments["key"] = try engine.array([1, 2] as [UInt64], shape: [2])
    arguments["classes"] = try engine.array(
      (0..<batch).map { Int32($0 % 10) }, shape: [batch])
    let function = try engine.compile(arguments.types) { a in
      let noise = Key(a["key"]!).normal(Shape([batch] + model.sampleShape().sizes))
      let images = Sampler(.preset(1))(
        model.velocityModel(a.group("weights"))!, noise: noise,
        condition: Named([("class", a["classes"]!)]), key: Key(seed: 1))
      return Named([("mean", images.mean())])
    }
    return PreparedWork(function: function, arguments: arguments, value: "mean")
  }
}
