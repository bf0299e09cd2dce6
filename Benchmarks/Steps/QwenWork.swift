import Foundation
import Layers
import Models
import Recipe
import Runtime
import Tensors

/// Parts of Qwen-Image at full width, on random weights.
extension Bench.Work {
  /// The transformer with one block, on 1024 tokens of an image and 64 of text.
  func qwenBlock(_ dtype: DType, on engine: Engine) throws -> PreparedWork {
    var config = QwenImageConfig()
    (config.depth, config.execution) = (1, .unrolled)
    let side = 64
    let inputs = [
      "latents": Shape([1, side, side, config.inputFeatures / (config.patch * config.patch)]),
      "text": [1, 64, config.textWidth], "time": [1],
    ]
    return try evaluation(
      of: Scope.declare { QwenImage($0, config) }, dtype, inputs, on: engine
    ) { scope, inputs in
      QwenImage(scope, config)(
        inputs["latents"]!, time: inputs["time"]!, target: inputs["time"]!,
        condition: Named([("text", inputs["text"]!)]))
    }
  }

  /// The language model with one layer, on a text.
  func textLayer(_ dtype: DType, tokens: Int, on engine: Engine) throws -> PreparedWork {
    let config: Qwen2_5VLConfig = try RecipeDecoder.decode(
      yaml: """
        {model_type: qwen2_5_vl_text, vocab_size: 1024, hidden_size: 3584, num_hidden_layers: 1,
         intermediate_size: 18944, num_attention_heads: 28, num_key_value_heads: 4,
         rms_norm_eps: 1.0e-6, execution: unrolled}
        """, file: "config.json")
    return try evaluation(
      of: Scope.declare { Qwen2_5VL($0, config) }, dtype, ["tokens": [1, tokens]], on: engine
    ) { scope, inputs in
      let ids = (inputs["tokens"]! * 500 + 512).cast(to: .int32)
      return Qwen2_5VL(scope, config)(ids).last
    }
  }

  /// A network in f32 with weights of an element type, on inputs between −1 and 1.
  ///
  /// - Parameter backwards: whether the gradient of the output's mean square is computed too, of all weights.
  func evaluation(
    of declared: Named<ParameterSpec>, _ dtype: DType, _ inputs: [String: Shape],
    backwards: Bool = false, on engine: Engine, _ network: (Scope, Named<Tensor>) -> Tensor
  ) throws -> PreparedWork {
    let weights = try engine.compile(Named()) { _ in
      declared.initialized(Key(seed: 1)).mapValues { $0.cast(to: dtype) }
    }(Named())
    var arguments = weights.prefixed("weights")
    for (name, shape) in inputs.sorted(by: { $0.key < $1.key }) {
      arguments[name] = try engine.array(
        (0..<shape.count).map { Float(sin(Double($0 % 1009))) }, shape: shape.sizes)
    }
    let function = try engine.compile(arguments.types) { a in
      let weights = a.group("weights")
      let output = network(Scope(weights), a)
      guard backwards else { return Named([("mean", output.mean())]) }
      let loss = output.squared().mean()
      var results = loss.gradients(for: weights).prefixed("gradients")
      results["mean"] = loss
      return results
    }
    return PreparedWork(function: function, arguments: arguments, value: "mean")
  }
}
