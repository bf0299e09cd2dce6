/// This project's kernels, by the names of their custom calls.
package enum Kernel: String {
  case matmul = "twinflow_matmul"
  case convolution = "twinflow_convolution"
  case convolutionInputGradient = "twinflow_convolution_input_gradient"
  case convolutionKernelGradient = "twinflow_convolution_kernel_gradient"
  case attention = "twinflow_attention"
  case attentionGradient = "twinflow_attention_gradient"
}

/// A custom call of one of this project's kernels, see `Client.kernels`.
struct KernelCall: Operation {
  /// The value of an attribute.
  enum Attribute: Hashable {
    case numbers([Int])
    case float(Double)

    var text: String {
      switch self {
      case .numbers(let numbers): "array<i64: \(list(numbers))>"
      case .float(let number): "\(Float(number)) : f32"
      }
    }
  }

  let kernel: Kernel
  let values: [String: Attribute]
  let types: [TensorType]

  /// The results of a kernel.
  static func results(
    of kernel: Kernel, _ values: [String: Attribute], _ operands: [Tensor], types: [TensorType]
  ) -> [Tensor] {
    Node(KernelCall(kernel: kernel, values: values, types: types), operands).tensors
  }

  var opcode: String { "stablehlo.custom_call" }

  func results(_ operands: [TensorType]) -> [TensorType] { types }

  func attributes(_ operands: [TensorType], _ results: [TensorType]) -> String {
    let config = values.sorted { $0.key < $1.key }.map { "\($0.key) = \($0.value.text)" }
    return "api_version = 4 : i32, backend_config = {\(config.joined(separator: ", "))}, "
      + "call_target_name = \"\(kernel.rawValue)\", "
      + "operand_layouts = \(rowMajor(operands)), result_layouts = \(rowMajor(results))"
  }

  /// Fixes the layouts, which the compiler would otherwise choose freely.
  private func rowMajor(_ types: [TensorType]) -> String {
    let layouts = types.map { type in
      let rank = type.shape.rank
      return rank == 0
        ? "dense<> : tensor<0xindex>"
        : "dense<[\(list((0..<rank).reversed()))]> : tensor<\(rank)xindex>"
    }
    return "[\(layouts.joined(separator: ", "))]"
  }
}
