import Foundation
import Layers
import Models
import Tensors
import Weights

/// What is known of one network's weights without reading them.
public struct InspectedComponent: Sendable {
  /// The name of the component in its pipeline; empty for one alone.
  public let name: String
  /// The class or kind of network, where it is known.
  public let className: String?
  /// The number of files.
  public let files: Int
  /// The number of parameters, without scales.
  public let parameters: Int
  /// The forms in which arrays are stored, with the arrays and the bytes of each, the largest first.
  public let forms: [StoredForm]
  /// What was recognized: conventions of names, and what belongs to methods.
  public let findings: [String]
  /// The bytes on a device; nil for a network that is not known here.
  public let memory: Memory?
  /// Why the weights cannot be loaded; nil where they can, or where the network is not known.
  public let problem: String?

  /// A form in which arrays are stored.
  public struct StoredForm: Sendable, Equatable {
    /// The name of the element type or form.
    public let name: String
    /// The number of arrays.
    public let arrays: Int
    /// Their bytes on disk.
    public let bytes: Int
  }

  /// The bytes of weights on a device.
  public struct Memory: Sendable, Equatable {
    /// As they are stored.
    public let stored: Int
    /// With the matrices of linear maps in 8 bits.
    public let int8: Int
    /// With the matrices of linear maps in 4 bits.
    public let int4: Int

    /// Makes figures.
    public init(stored: Int, int8: Int, int4: Int) {
      (self.stored, self.int8, self.int4) = (stored, int8, int4)
    }
  }

  /// The bytes of the weights on disk.
  public var bytes: Int { forms.reduce(0) { $0 + $1.bytes } }

  /// Inspects files.
  ///
  /// - Parameters:
  ///   - name: the name of the component.
  ///   - config: the path of the `config.json`; nil for a file alone.
  /// - Throws: the errors of reading the config.
  init(_ files: WeightFiles, name: String = "", config: String?) throws {
    self.name = name
    self.files = files.paths.filter { !$0.hasSuffix(".index.json") }.count
    let arrays = files.types.names
    var (forms, parameters): ([String: StoredForm], Int) = ([:], 0)
    for array in arrays {
      let form = files.form(of: array)
      parameters += form.parameters
      let old = forms[form.name]
      forms[form.name] = StoredForm(
        name: form.name, arrays: (old?.arrays ?? 0) + 1,
        bytes: (old?.bytes ?? 0) + files.storedBytes(array))
    }
    self.parameters = parameters
    self.forms = forms.values.sorted { ($1.bytes, $0.name) < ($0.bytes, $1.name) }
    findings = Conventions.findings(files)
    let (network, fault) = try Self.known(files, config)
    className =
      config.flatMap(PublishedNetworks.className) ?? network?.name ?? Conventions.network(arrays)
    guard let network else {
      (memory, problem) = (nil, fault)
      return
    }
    let published = network.network
    do {
      let stored = try WeightLoader.storage(
        published.specs, in: files, names: published.names(arrays), ignoring: published.ignores)
      func bytes(_ storage: (String) -> WeightStorage) -> Int {
        published.specs.arrays { storage($0).fitting(published.specs[$0]!) }.values
          .reduce(0) { $0 + $1.type.byteCount }
      }
      memory = Memory(
        stored: bytes { stored[$0]! },
        int8: bytes { published.specs[$0]!.isMatrix ? .int8 : stored[$0]! },
        int4: bytes { published.specs[$0]!.isMatrix ? .int4 : stored[$0]! })
      problem = nil
    } catch let error as WeightsError {
      (memory, problem) = (nil, "\(error)")
    }
  }

  /// The network that files hold, nil for one that is not known; or why a known one is not supported.
  private static func known(
    _ files: WeightFiles, _ config: String?
  ) throws -> (network: (name: String?, network: PublishedNetwork)?, fault: String?) {
    do {
      return (try network(files, config), nil)
    } catch let error as PublishedConfigError {
      return (nil, "\(error)")
    }
  }

  /// The network that files hold, by their config or, for files of this program, by their card.
  private static func network(
    _ files: WeightFiles, _ config: String?
  ) throws -> (name: String?, network: PublishedNetwork)? {
    if files.metadata[ModelFile.key] != nil {
      let header = try ModelHeader(files.path)
      let names = header.names
      return (
        header.card.lora == nil ? header.card.model.kind : "LoRA for \(header.card.model.kind)",
        PublishedNetwork(.transformer, specs: header.specs, names: { _ in names })
      )
    }
    if let config, PublishedNetworks.className(config) != nil {
      return try PublishedNetworks.read(config, arrays: files.types.names).map { (nil, $0) }
    }
    guard
      case .network(let model, _)? = try RecognizedWeights(files.types, path: files.path)
    else { return nil }
    return (model.kind, PublishedNetwork(model))
  }
}

extension WeightFiles {
  /// The form of an array in words, and the parameters that it holds: none for scales and markers.
  fileprivate func form(of array: String) -> (name: String, parameters: Int) {
    let type = types[array]!
    if let blocks = blocks(array) { return (blocks.format.name, type.shape.count) }
    if isScale(array) { return ("scales", 0) }
    switch type.dtype {
    case .uint8 where types[array + QuantizedTensor.scaleSuffix] != nil:
      return ("int4", 2 * type.shape.count)
    case .int8: return ("int8", type.shape.count)
    case .float8e4m3: return ("f8 e4m3", type.shape.count)
    case .float8e5m2: return ("f8 e5m2", type.shape.count)
    default: return (type.dtype.rawValue, type.dtype.isFloat ? type.shape.count : 0)
    }
  }

  /// Whether an array holds the scales of another one, or marks that there are some.
  private func isScale(_ array: String) -> Bool {
    let endings = [
      ".weight_scale", ".scale_weight", ".scale_input", ".input_scale", ".comfy_quant",
    ]
    return endings.contains(where: array.hasSuffix) || array.hasSuffix("scaled_fp8")
  }
}
