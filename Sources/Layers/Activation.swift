import Tensors

/// A pointwise activation function under the names that transformers gives it in `config.json`.
public enum Activation: String, Codable, Sendable, Hashable, CaseIterable {
  /// The exact one, by the error function.
  case gelu
  case geluPython = "gelu_python"
  /// Those with tanh, which differ in their order of operations alone.
  case geluNew = "gelu_new"
  case geluTanh = "gelu_pytorch_tanh"
  case geluPythonTanh = "gelu_python_tanh"
  case geluFast = "gelu_fast"
  case geluAccurate = "gelu_accurate"
  /// x · σ(1.702 x), CLIP's.
  case quickGELU = "quick_gelu"
  case relu
  /// The square of `relu`.
  case relu2
  case silu
  case swish
  case sigmoid
  case tanh
  /// The identity.
  case linear

  /// Applies the function.
  public func callAsFunction(_ x: Tensor) -> Tensor {
    switch self {
    case .gelu, .geluPython: x.gelu()
    case .geluNew, .geluTanh, .geluPythonTanh, .geluFast, .geluAccurate: x.gelu(approximate: true)
    case .quickGELU: x.quickGELU()
    case .relu: x.relu()
    case .relu2: x.relu().squared()
    case .silu, .swish: x.silu()
    case .sigmoid: x.sigmoid()
    case .tanh: x.tanh()
    case .linear: x
    }
  }
}
