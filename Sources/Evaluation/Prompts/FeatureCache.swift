import Files
import Foundation
import Models
import PJRT
import Tensors
import Weights

/// Features of real pictures in files of their own, so that they are computed once.
///
/// They are found by the content of the pictures, their size and the network. A file that cannot be read or
/// written costs time, and is no error.
public struct FeatureCache: Sendable {
  private let folder: String

  /// Fewer pictures are not worth a file.
  static let least = 100

  /// Makes a cache in a folder; for nil in the program's cache folder.
  public init(folder: String? = nil) { self.folder = folder ?? cacheDirectory() + "/features" }

  /// The file for the pictures of a file of prompts.
  ///
  /// - Returns: nil for few pictures.
  /// - Throws: `EvaluationError.damagedLine` for a picture that cannot be read.
  func place(
    _ set: PromptSet, _ size: ImageSize, _ network: any PictureFeatures
  ) throws -> String? {
    let hash = ContentHash()
    // The version of how pictures are prepared.
    hash.add("1, \(size), \(network.hash)")
    var known: [String: String] = [:]
    for line in set.lines {
      guard let path = line.picture else {
        hash.add("")
        continue
      }
      if known[path] == nil {
        do {
          known[path] = try ContentHash.ofFile(path)
        } catch {
          throw EvaluationError.damagedLine(
            path: set.path, line: line.number, reason: "its picture cannot be used: \(error)")
        }
      }
      hash.add(known[path]!)
    }
    return known.count < Self.least ? nil : "\(folder)/\(hash.text).safetensors"
  }

  /// The features and the numbers of the lines' pictures in a file, nil where it is not there or damaged.
  func read(
    _ path: String, lines: Int, width: Int
  ) -> (features: FeatureSet, numbers: [Int?])? {
    guard FileManager.default.fileExists(atPath: path), let files = try? WeightFiles(path: path),
      let type = files.types["features"], type.dtype == .float32, type.shape.rank == 2,
      type.shape[1] == width,
      files.types["numbers"] == TensorType([lines], .int32)
    else { return nil }
    let values = files.bytes("features", Region(whole: type.shape)).withUnsafeBytes {
      Array($0.bindMemory(to: Float.self))
    }
    let numbers = files.bytes("numbers", Region(whole: [lines])).withUnsafeBytes {
      $0.bindMemory(to: Int32.self).map { $0 < 0 ? nil : Int($0) }
    }
    guard numbers.allSatisfy({ ($0 ?? 0) < type.shape[0] }) else { return nil }
    return (FeatureSet(values, width: type.shape[1]), numbers)
  }

  /// Writes features, in place of a damaged file.
  func write(_ features: FeatureSet, _ numbers: [Int?], to path: String) {
    try? FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    try? FileManager.default.removeItem(atPath: path)
    let types = Named([
      ("features", TensorType([features.count, features.width], .float32)),
      ("numbers", TensorType([numbers.count], .int32)),
    ])
    try? WeightFiles.write(types, to: path) { name in
      name == "features"
        ? features.values.withUnsafeBytes { Array($0) }
        : numbers.map { Int32($0 ?? -1) }.withUnsafeBytes { Array($0) }
    }
  }
}
