import Tensors

/// What can be wrong with the content of a file of weights.
public enum WeightsError: Error, Equatable, CustomStringConvertible {
  /// A file is not in the safetensors, GGUF or PyTorch's old format, is truncated or damaged.
  case damaged(path: String, reason: String)
  /// Files that belong to an index or a folder are not there.
  case missingFiles(path: String, files: [String])
  /// The file's weights are not those of the network.
  case mismatch(path: String, problems: [Problem])
  /// Finite numbers are beyond the range of the type that they are read as.
  case beyondRange(path: String, dtype: DType, names: [String], count: Int)
  /// Matrices that are to be quantized have numbers that are infinite or NaN, or too large for scales.
  case notFinite(path: String, names: [String])
  /// A file does not hold LoRA of linear maps, or more than that.
  case unsupportedLoRA(path: String, reason: String)
  /// No module of LoRA is one of the network's.
  case otherModel(path: String, network: String, modules: [String], known: [String])
  /// Modules of LoRA do not fit the network.
  case loraMismatch(path: String, network: String, problems: [LoRAProblem], modules: Int)

  /// One module of LoRA that does not fit.
  public enum LoRAProblem: Equatable, Sendable {
    /// The network does not have it; a similar name may be there.
    case unknownModule(name: String, similar: String?)
    /// The network has it, and it is no linear map.
    case notLinear(name: String)
    /// The network's map has other sizes, output and input.
    case wrongSizes(name: String, found: [Int], expected: [Int])
    /// Another module changes the same map.
    case changedTwice(name: String, other: String)
  }

  /// An array is quantized in a way that is not known.
  case unsupported(path: String, name: String, reason: String)

  /// One weight that does not fit.
  public enum Problem: Equatable, Sendable {
    /// The network has a weight that the file has not; a similar name may be there.
    case missing(name: String, similar: String?)
    /// The file has a weight that the network has not.
    case unused(name: String)
    /// A weight has another shape or kind of element.
    case wrongType(name: String, found: TensorType, expected: TensorType)
  }

  /// What was found, what was expected and what to do.
  public var description: String {
    switch self {
    case .damaged(let path, let reason):
      let isOfTorch = [".pth", ".pt", ".bin"].contains(where: path.hasSuffix)
      let format = path.hasSuffix(".gguf") ? "GGUF" : isOfTorch ? "PyTorch" : "safetensors"
      return "\(path) is not a complete \(format) file: \(reason). Download or train it again."
    case .missingFiles(let path, let files):
      return "\(path) needs files that are not beside it: \(Self.list(files)). Download them too."
    case .mismatch(let path, let problems):
      let shown = problems.prefix(5).map(\.text).joined(separator: "; ")
      let rest = problems.count > 5 ? "; and \(problems.count - 5) more" : ""
      return "\(path) does not hold this network's weights: \(shown)\(rest). "
        + "Use the configuration that the weights were made with."
    case .beyondRange(let path, let dtype, let names, let count):
      return "\(count) number\(count == 1 ? "" : "s") of \(path) would become infinite in "
        + "\(dtype.rawValue): in \(Self.list(names)). Use weights that are stored in a type with a "
        + "narrower range, or compute in a wider one."
    case .notFinite(let path, let names):
      return
        "\(path) cannot be quantized: numbers of \(Self.list(names)) are infinite, NaN or beyond "
        + "the range of scales. Download or train it again, or keep it as it is stored."
    case .unsupported(let path, let name, let reason):
      return "\(path) has \(name) in a form that is not supported: \(reason). Use weights that are "
        + "stored in f8 with a scale, in bf16 or in f16."
    case .unsupportedLoRA(let path, let reason):
      return
        "\(path) cannot be used as LoRA: \(reason). Supported are pairs of low-rank factors of "
        + "a transformer's linear maps, named as by PEFT, diffusers, kohya's scripts or ComfyUI."
    case .otherModel(let path, let network, let modules, let known):
      return "\(path) is LoRA for another model: none of its \(modules.count) modules, such as "
        + "\(modules.first ?? ""), is one of \(network)'s, such as \(known.first ?? ""). "
        + "Use it with the model that it was trained for."
    case .loraMismatch(let path, let network, let problems, let count):
      let shown = problems.prefix(5).map(\.text).joined(separator: "; ")
      let rest = problems.count > 5 ? "; and \(problems.count - 5) more" : ""
      return "\(path) does not fit \(network): of its \(count) modules, \(shown)\(rest). "
        + "Use LoRA that was trained for this model in this size."
    }
  }

  /// The first names of a list, and how many there are besides.
  private static func list(_ names: [String]) -> String {
    names.prefix(5).joined(separator: ", ")
      + (names.count > 5 ? " and \(names.count - 5) more" : "")
  }
}

extension WeightsError.LoRAProblem {
  /// Whether the module is one of the network's.
  var isOfThisNetwork: Bool {
    if case .unknownModule = self { false } else { true }
  }

  fileprivate var text: String {
    switch self {
    case .unknownModule(let name, let similar):
      "\(name) is not in the network" + (similar.map { " (which has \($0))" } ?? "")
    case .notLinear(let name): "\(name) is no linear map of the network"
    case .wrongSizes(let name, let found, let expected):
      "\(name) maps \(found[1]) features to \(found[0]), the network's \(expected[1]) to "
        + "\(expected[0])"
    case .changedTwice(let name, let other): "\(name) and \(other) change the same map"
    }
  }
}

extension WeightsError.Problem {
  fileprivate var text: String {
    switch self {
    case .missing(let name, let similar):
      "\(name) is missing" + (similar.map { " (the file has \($0))" } ?? "")
    case .unused(let name): "\(name) is not a weight of the network"
    case .wrongType(let name, let found, let expected):
      "\(name) is \(found), the network's is \(expected)"
    }
  }
}
