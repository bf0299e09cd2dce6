import Runtime
import ArgumentParser
import Foundation
import Tensors
import Training

/// Computes operations and their gradients on a device and on the CPU, and compares.
struct OperationsCheck {
  private struct Case {
    let name: String
    let inputs: [TensorType]
    /// The largest difference that passes, as a part of the largest value.
    let tolerance: Double
    let body: ([Tensor]) -> Tensor
  }

  private static func cases() -> [Case] {
    func float(_ sizes: Int..., dtype: DType = .float32) -> TensorType {
      TensorType(Shape(sizes), dtype)
    }
    let window = ConvolutionWindow(stride: 2, padding: 1)
    func attention(
      _ dtype: DType, keyHeads: Int = 4, _ options: AttentionOptions = AttentionOptions()
    ) -> ([Tensor]) -> Tensor {
      { inputs in
        let packed = inputs[0].cast(to: dtype)
        if keyHeads == 4 { return packed.selfAttention(options).cast(to: .float32) }
        let parts = packed.unstack(2)
        let (keys, values) = (parts[1].slice(2, 0..<keyHeads), parts[2].slice(2, 0..<keyHeads))
        return parts[0].attention(keys: keys, values: values, options).cast(to: .float32)
      }
    }
    let visible = Tensor.iota([1, 1, 1, 64], axis: 3, .int32).less(.constant(40, .int32))
    let bias = Tensor.iota([1, 4, 64, 64], axis: 3, .float32).sin().cast(to: .bfloat16)
    let options: [(String, AttentionOptions)] = [
      ("masked attention", AttentionOptions(mask: .full(visible))),
      ("causal attention", AttentionOptions(mask: .causal)),
      ("local attention", AttentionOptions(mask: .causal, window: 9)),
      ("attention with a bias", AttentionOptions(bias: bias)),
      (
        "attention to valid keys",
        AttentionOptions(mask: .keys(.constant([40, 0] as [Int32], shape: [2])))
      ),
    ]
    let packed = float(2, 64, 3, 4, 64)
    let all = [
      Case(name: "product", inputs: [float(96, 80), float(80, 64)], tolerance: 1e-5) {
        $0[0].matmul($0[1])
      },
      Case(name: "product in bf16", inputs: [float(96, 80), float(80, 64)], tolerance: 2e-2) {
        $0[0].cast(to: .bfloat16).matmul($0[1].cast(to: .bfloat16)).cast(to: .float32)
      },
      Case(
        name: "convolution", inputs: [float(2, 13, 11, 16), float(3, 3, 16, 24)], tolerance: 1e-4
      ) {
        $0[0].convolution($0[1], ConvolutionWindow(padding: 1))
      },
      Case(
        name: "strided convolution", inputs: [float(2, 12, 12, 8), float(4, 4, 8, 8)],
        tolerance: 1e-4
      ) {
        $0[0].convolution($0[1], window)
      },
      Case(
        name: "transposed convolution", inputs: [float(2, 6, 6, 8), float(4, 4, 8, 8)],
        tolerance: 1e-4
      ) {
        $0[0].transposedConvolution($0[1], window)
      },
      Case(name: "attention", inputs: [packed], tolerance: 1e-5, body: attention(.float32)),
      Case(
        name: "attention in bf16", inputs: [packed], tolerance: 3e-2,
        body: attention(.bfloat16)),
      Case(
        name: "attention of grouped heads in bf16", inputs: [packed], tolerance: 3e-2,
        body: attention(.bfloat16, keyHeads: 2)),
      Case(name: "softmax", inputs: [float(7, 130)], tolerance: 1e-5) { $0[0].softmax() },
      Case(name: "layer norm", inputs: [float(7, 130)], tolerance: 1e-5) {
        $0[0].normalized([-1], epsilon: 1e-6)
      },
      Case(name: "group norm", inputs: [float(2, 5, 5, 64)], tolerance: 1e-5) {
        $0[0].groupNormalized(8)
      },
      Case(name: "activations", inputs: [float(1000)], tolerance: 1e-5) {
        $0[0].gelu(approximate: true) + $0[0].gelu() + $0[0].silu() + $0[0].relu() + $0[0].tanh()
      },
      Case(name: "powers and roots", inputs: [float(1000)], tolerance: 1e-5) {
        let x = $0[0].abs() + 0.1
        return x.sqrt() + x.log() + x.power(1.7) + $0[0].exp() + $0[0].sin() * $0[0].cos()
      },
      Case(name: "slices and joins", inputs: [float(6, 8), float(6, 8)], tolerance: 1e-6) {
        Tensor.concatenate(
          [$0[0].slice(1, 2..<6), $0[1].reversed([0]).transpose([1, 0]).reshape([6, 8])], axis: 1)
      },
      Case(name: "taking rows", inputs: [float(10, 16)], tolerance: 1e-6) {
        $0[0].take(.constant([3, 0, 9, 3] as [Int32], shape: [4]))
      },
      Case(name: "largest pooled", inputs: [float(2, 8, 8, 4)], tolerance: 1e-6) {
        $0[0].maxPool(2)
      },
      Case(name: "a loop", inputs: [float(8, 16), float(16, 16)], tolerance: 1e-4) { inputs in
        scan([inputs[0]], length: 6) { state, _ in
          ([(state[0].matmul(inputs[1]) * 0.2).tanh()], [])
        }.carry[0]
      },
      Case(name: "random numbers", inputs: [float(1)], tolerance: 1e-6) {
        let keys = Key(seed: 5).split(3)
        return keys[0].normal([1000]) + keys[1].beta(0.8, 1.2, [1000]) * $0[0]
          + keys[2].permutation(1000).cast(to: .float32) / 1000
      },
    ]
    return all
      + options.map { name, options in
        Case(
          name: "\(name) in bf16", inputs: [packed], tolerance: 3e-2,
          body: attention(.bfloat16, options))
      }
  }

  /// Prints a table.
  ///
  /// - Returns: whether all differences are small enough.
  static func run(on device: Engine) throws -> Bool {
    let cpu = try Engine(kernels: false)
    var isClean = true
    for each in cases() {
      let function = { (engine: Engine) in
        let types = Named(each.inputs.enumerated().map { ("in\($0)", $1) })
        return try engine.compile(types) { inputs in
          let y = each.body(inputs.values)
          let weights = Tensor.iota([y.shape.count], .float32).sin().reshape(y.shape)
          let gradients = (y * weights).sum().gradients(for: inputs.values)
          return Named(
            (["value"] + types.names).enumerated().map { i, name in
              (i == 0 ? name : "gradient of \(name)", ([y] + gradients)[i])
            })
        }
      }
      let values = each.inputs.enumerated().map { i, type in
        (0..<type.shape.count).map { Float(sin(Double($0 * (2 * i + 7) % 1013))) }
      }
      let results = try [cpu, device].map { engine in
        let arguments = try each.inputs.indices.map {
          ("in\($0)", try engine.array(values[$0], shape: each.inputs[$0].shape.sizes))
        }
        return try function(engine)(Named(arguments)).mapValues { try $0.array(of: Float.self) }
      }
      for name in results[0].names {
        let (a, b) = (results[0][name]!, results[1][name]!)
        let scale = max(a.map { abs($0) }.max() ?? 0, 1e-20)
        let worst = Double(zip(a, b).map { abs($0 - $1) }.max() ?? 0) / Double(scale)
        let passes = worst <= each.tolerance && b.allSatisfy(\.isFinite)
        isClean = isClean && passes
        let title = "\(each.name), \(name)".padding(toLength: 44, withPad: " ", startingAt: 0)
        print(title + String(format: "%10.1e", worst) + (passes ? "" : "  too far"))
      }
    }
    return isClean
  }
}
