import Files
import Foundation
import Tensors

/// A file of LoRA of a transformer, in the style of any of the programs that write such files.
///
/// Each module, a linear map by its name in some layout of the network, has the factors A
/// `[rank, input]` and B `[output, rank]`; its weight W becomes `W + scale·B·A`. The scale is
/// `alpha / rank`, of an array `.alpha`, of PEFT's `adapter_config.json` beside the file or of
/// diffusers' metadata; 1 where none of them is there.
public struct LoRAFile: Sendable {
  /// The file of the factors.
  public let path: String
  /// How the file names its modules and factors.
  public let style: Style
  /// The modules by name.
  public let modules: [Module]
  /// Texts about the file.
  public let metadata: [String: String]
  let files: WeightFiles
  /// All files that are read.
  public var paths: [String] { files.paths }

  /// The styles of names.
  public enum Style: String, Sendable, CaseIterable {
    /// `base_model.model.MODULE.lora_A.weight`, or `MODULE.lora_A.default.weight`.
    case peft = "PEFT"
    /// `transformer.MODULE.lora_A.weight`.
    case diffusers
    /// `lora_unet_MODULE.lora_down.weight` with underscores in place of the module's dots.
    case kohya
    /// `MODULE.lora_down.weight`.
    case downUp = "lora_down and lora_up"
    /// `diffusion_model.MODULE.lora_A.weight`.
    case comfyUI = "ComfyUI"
  }

  /// The LoRA of one linear map.
  public struct Module: Hashable, Sendable {
    /// The module's name in the file, without the prefixes of training programs.
    public let name: String
    /// The rows of A and columns of B.
    public let rank: Int
    /// The features of the map's input.
    public let input: Int
    /// The features of the map's output.
    public let output: Int
    /// The numerator of the scale; the rank where the file does not say it.
    public let alpha: Double
    /// The factor of the product B·A.
    public let scale: Double
    /// Whether underscores replace the dots of its name.
    let isFlat: Bool
    /// The names of the arrays of A and B.
    let down, up: String
  }

  /// The largest rank of a module.
  public var rank: Int { modules.map(\.rank).max() ?? 0 }

  /// Opens a file, or a folder with one; no factor is read yet.
  ///
  /// - Throws: `FileError.unreadable`, `WeightsError.damaged`, and `WeightsError.unsupportedLoRA` for
  ///   a file that holds anything besides LoRA of linear maps.
  public init(path given: String) throws {
    let files = try WeightFiles(path: given)
    func fail(_ reason: String) -> WeightsError {
      .unsupportedLoRA(path: files.path, reason: reason)
    }
    var arrays: [(key: LoRAKey, name: String)] = []
    for name in files.types.names {
      do {
        arrays.append((try LoRAKey(name), name))
      } catch {
        throw fail(error.reason)
      }
    }
    guard let first = arrays.first(where: { $0.key.part != .alpha }) else {
      throw fail("it holds no factor")
    }
    let adapters = Set(arrays.compactMap(\.key.adapter)).sorted()
    guard adapters.count <= 1 else {
      throw fail("it holds several adapters, \(adapters.joined(separator: ", "))")
    }
    var parts: [String: [LoRAKey.Part: (key: LoRAKey, name: String)]] = [:]
    var order: [String] = []
    for array in arrays {
      let module = array.key.module
      if parts[module] == nil { order.append(module) }
      guard parts[module, default: [:]].updateValue(array, forKey: array.key.part) == nil else {
        throw fail("\(array.name) is one of two arrays that hold the same of \(module)")
      }
    }
    let configuration = try Self.configuration(of: files, style: first.key.style)
    modules = try order.map { name in
      let parts = parts[name]!
      guard let down = parts[.down], let up = parts[.up] else {
        let found = parts.values.map(\.name).sorted().joined(separator: ", ")
        throw fail("of \(name) it has only \(found), and both factors are expected")
      }
      return try Self.module(
        down.key, down: down.name, up: up.name, alpha: parts[.alpha]?.name, configuration, files)
    }
    if first.key.style == .peft, configuration == nil, first.name.hasPrefix("base_model."),
      !modules.isEmpty, arrays.allSatisfy({ $0.key.part != .alpha })
    {
      throw fail(
        "its scale is in PEFT's \(LoRAConfiguration.fileName), which is not beside it. Put it there"
      )
    }
    (path, style, metadata, self.files) = (files.path, first.key.style, files.metadata, files)
  }

  private static func configuration(
    of files: WeightFiles, style: Style
  ) throws -> LoRAConfiguration? {
    if let text = files.metadata[LoRAConfiguration.metadataKey],
      let found = try LoRAConfiguration.inMetadata(text, path: files.path)
    {
      return found
    }
    return style == .peft ? try .beside(files.path) : nil
  }

  private static func module(
    _ key: LoRAKey, down: String, up: String, alpha: String?,
    _ configuration: LoRAConfiguration?, _ files: WeightFiles
  ) throws -> Module {
    func fail(_ reason: String) -> WeightsError {
      .unsupportedLoRA(path: files.path, reason: reason)
    }
    let shapes = try [down, up].map { array in
      let type = files.types[array]!
      // Programs that treat linear maps as convolutions of one pixel add two axes.
      var sizes = type.shape.sizes
      if sizes.count == 4, sizes[2...] == [1, 1] { sizes.removeLast(2) }
      guard sizes.count == 2, type.dtype.isFloat, !sizes.contains(0) else {
        throw fail("\(array) is \(type), and a matrix of floating-point numbers is expected")
      }
      return sizes
    }
    let rank = shapes[0][0]
    guard shapes[1][1] == rank else {
      throw fail(
        "\(down) is \(files.types[down]!.shape) and \(up) is \(files.types[up]!.shape), which have "
          + "different ranks")
    }
    if let configuration, configuration.rank(of: key.qualified) != rank {
      throw fail(
        "\(key.module) has the rank \(rank), and its configuration says "
          + "\(configuration.rank(of: key.qualified))")
    }
    var scale = configuration?.scale(of: key.qualified)
    var numerator = configuration?.alpha(of: key.qualified)
    if let alpha {
      let own = try number(alpha, files)
      guard scale == nil || scale == own / Double(rank) else {
        throw fail(
          "\(alpha) is \(own), and its configuration gives \(key.module) the scale \(scale!): which of the "
            + "two is meant is unknown")
      }
      (scale, numerator) = (own / Double(rank), own)
    }
    return Module(
      name: key.module, rank: rank, input: shapes[0][1], output: shapes[1][0],
      alpha: numerator ?? Double(rank), scale: scale ?? 1, isFlat: key.isFlat, down: down, up: up)
  }

  /// The number that an array holds.
  private static func number(_ name: String, _ files: WeightFiles) throws -> Double {
    let type = files.types[name]!
    let bytes = type.shape.count == 1 ? files.bytes(name, Region(whole: type.shape)) : []
    let number = bytes.withUnsafeBytes { bytes -> Double? in
      guard !bytes.isEmpty else { return nil }
      switch type.dtype {
      case .int8: return Double(bytes.loadUnaligned(as: Int8.self))
      case .int16: return Double(bytes.loadUnaligned(as: Int16.self))
      case .int32: return Double(bytes.loadUnaligned(as: Int32.self))
      case .int64: return Double(bytes.loadUnaligned(as: Int64.self))
      case _ where type.dtype.isFloat:
        return withUnsafeTemporaryAllocation(byteCount: 8, alignment: 8) { memory in
          _ = ElementConversion.convert(bytes, type.dtype, to: memory, .float64)
          return memory.load(as: Double.self)
        }
      default: return nil
      }
    }
    guard let number, number.isFinite else {
      throw WeightsError.unsupportedLoRA(
        path: files.path, reason: "\(name) is \(type), and one finite number is expected")
    }
    return number
  }
}
