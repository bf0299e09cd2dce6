import Files
import Foundation
import Layers
import Models
import Weights

/// Writes a diffusers folder, or the folder of one network, with the matrices of linear maps quantized.
///
/// The matrices of transformers and text encoders are quantized; their other arrays, autoencoders, and
/// networks that are not known stay as they are stored, and all other files are copied.
public struct QuantizedFolder: Sendable {
  /// One network that is quantized.
  public struct Network: Sendable {
    /// The name of its folder, empty for a folder of one network.
    public let name: String
    /// The path of its folder.
    public let path: String
    /// The names of the arrays that are quantized.
    public let matrices: Set<String>
    let files: WeightFiles
  }

  /// The folder that is read.
  public let path: String
  /// The networks that are quantized.
  public let networks: [Network]
  /// The networks that stay as they are, with the reason.
  public let unchanged: [(name: String, reason: String)]

  /// Opens a folder, and checks that the weights of the networks to be quantized are complete.
  ///
  /// - Throws: `FileError.unreadable`, `WeightsError`, `PublishedConfigError`, and
  ///   `PipelineError.nothingToQuantize`.
  public init(_ path: String) throws {
    self.path = path
    let isPipeline = FileManager.default.fileExists(atPath: "\(path)/\(PipelineFolder.index)")
    let names = isPipeline ? try PipelineFolder(path).networks : [""]
    var (networks, unchanged): ([Network], [(name: String, reason: String)]) = ([], [])
    for name in names {
      let place = name.isEmpty ? path : "\(path)/\(name)"
      let config = "\(place)/\(PipelineFolder.config)"
      let files = try WeightFiles(path: place)
      guard let network = try PublishedNetworks.read(config, arrays: files.types.names) else {
        let found = PublishedNetworks.className(config) ?? "a network without a class"
        unchanged.append((name, "\(found) is not known"))
        continue
      }
      guard network.role != .autoencoder else {
        unchanged.append((name, "autoencoders are not quantized"))
        continue
      }
      let map = network.names(files.types.names)
      _ = try WeightLoader.storage(
        network.specs, in: files, names: map, ignoring: network.ignores)
      let shapes = network.specs.mapValues(\.shape)
      let matrices = network.specs.pairs.filter(\.value.isMatrix).flatMap {
        map.arrays(of: $0.name, shapes: shapes)
      }
      networks.append(Network(name: name, path: place, matrices: Set(matrices), files: files))
    }
    guard !networks.isEmpty else {
      throw PipelineError.nothingToQuantize(
        path: path,
        reasons: unchanged.map { $0.name.isEmpty ? $0.reason : "\($0.name): \($0.reason)" })
    }
    (self.networks, self.unchanged) = (networks, unchanged)
  }

  /// Writes the folder: all of it is at its place afterwards, or nothing.
  ///
  /// - Parameters:
  ///   - target: the folder, which must not be there.
  ///   - largest: the bytes of data in a file.
  ///   - progress: called after every matrix with its network's name.
  /// - Returns: the errors of each network's matrices.
  /// - Throws: `FileError.exists` and `unwritable`, and the errors of reading.
  public func write(
    to target: String, as quantization: Quantization, largest: Int = 5 << 30,
    progress: (String, WeightFiles.MatrixError) -> Void = { _, _ in }
  ) throws -> [(network: String, errors: [WeightFiles.MatrixError])] {
    let folder = try StagedFolder(target)
    let weights = Set(networks.flatMap(\.files.paths).map(FolderCopy.canonical))
    try FolderCopy.copy(path, to: folder.path, without: weights)
    let results = try networks.map { network in
      let place = network.name.isEmpty ? folder.path : "\(folder.path)/\(network.name)"
      let errors = try network.files.writeQuantized(
        network.matrices, as: quantization, to: "\(place)/\(Self.fileName(network.files.path))",
        largest: largest
      ) { progress(network.name, $0) }
      return (network.name, errors)
    }
    try folder.commit()
    return results
  }

  /// The name of the file that the weights are named after.
  private static func fileName(_ path: String) -> String {
    var name = (path as NSString).lastPathComponent
    for ending in [".index.json"] + WeightFiles.endings where name.hasSuffix(ending) {
      name.removeLast(ending.count)
    }
    return name + ".safetensors"
  }
}
