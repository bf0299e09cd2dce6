import ArgumentParser
import Foundation
import Models
import Pipelines
import Runtime
import Tensors
import Weights

/// How loaded weights are kept.
enum LoadedType: String, ExpressibleByArgument, CaseIterable {
  case stored, bf16, f32, f8, int8
  case int8Groups = "int8-groups"
  case int4
}

extension Bench {
  /// Loads the weights of a folder once, and tells the time and the memory that it took.
  func runLoad(on engine: Engine) throws {
    guard let folder else { throw ValidationError("--folder names the weights.") }
    let config = try TransformerComponent.config(folder + "/config.json")
    let specs = ModelConfig(config).weights
    let before = ProcessMemory()
    ProcessMemory.resetPeak()
    let start = ContinuousClock.now
    let files = try WeightFiles(path: folder)
    let weights = try WeightLoader(engine.client, mesh: engine.mesh).load(
      specs, from: files, names: config.names
    ) { name in
      switch storage {
      case .stored, .f8: nil
      case .bf16, .f32: storage.storage
      case .int8, .int8Groups, .int4: specs[name]!.isMatrix ? storage.storage : nil
      }
    }
    let seconds = (ContinuousClock.now - start).seconds
    let after = ProcessMemory()
    let bytes = weights.types.values.reduce(0) { $0 + $1.byteCount }
    emit([
      "storage": storage.rawValue, "files": files.paths.count - 1,
      "stored_bytes": files.types.values.reduce(0) { $0 + $1.byteCount },
      "weight_bytes": bytes, "seconds": seconds,
      "before_bytes": before.resident, "peak_bytes": after.peak,
      "anonymous_bytes": after.anonymous, "mapped_bytes": after.mapped,
      "peak_ratio": Double(after.peak) / Double(bytes),
    ])
    withExtendedLifetime(weights) {}
  }
}
