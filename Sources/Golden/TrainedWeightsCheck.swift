import Flow
import Foundation
import Layers
import Tensors
import Weights

/// The comparison of weights and files after the steps.
extension GoldenCase {
  /// Compares weights after the steps, without those that AdamW moves by the sign of rounding noise.
  ///
  /// After one step these are known by their gradients. After several, one weight in a hundred, and
  /// one at least, may be off by what AdamW can move it.
  func compareWeights(
    _ actual: Named<HostArray>, _ group: String, _ settings: TrainingSettings
  ) -> [Comparison] {
    let rate = settings.optimizer.lr
    let noisy = Set(settings.weights_with_noise_gradient ?? [])
    return actual.pairs.compactMap { name, actual in
      let output = "\(group).\(name)"
      guard let wanted = expected[output], !noisy.contains(name) else { return nil }
      let floor = config.noiseFloors?[output] ?? 0
      let chosen: [Int]
      if actual.shape != wanted.shape {
        chosen = []
      } else if isOneStep, let gradient = expected["grad.\(name)"], gradient.shape == wanted.shape {
        let sizes = gradient.values.map { Double(abs($0)) }
        let limit = max(
          1e-4 * (sizes.max() ?? 0), 20 * (config.noiseFloors?["grad.\(name)"] ?? 0))
        chosen = sizes.indices.filter { sizes[$0] >= limit }
      } else {
        let off = zip(actual.values, wanted.values).map { abs(Double($0) - Double($1)) }
        let order = off.indices.sorted { off[$0] < off[$1] }
        let left = order.suffix(max(1, order.count / 100))
        guard left.allSatisfy({ off[$0] <= 2 * rate * Double(steps) }) else {
          return Comparison(output, actual, wanted, relative: 1e-5)
        }
        chosen = Array(order.dropLast(left.count))
      }
      guard !chosen.isEmpty || actual.shape != wanted.shape else { return nil }
      func at(_ array: HostArray) -> HostArray {
        actual.shape == wanted.shape
          ? HostArray(chosen.map { array.values[$0] }, [chosen.count]) : array
      }
      return Comparison(
        output, at(actual), at(wanted), absolute: max(isOneStep ? 10 * floor : 0, rate / 100),
        relative: 1e-5)
    }
  }

  /// Compares the case's files of LoRA before and after the step with the arrays of the case.
  func compareAdapters(
    _ network: TrainedNetwork, _ setup: GoldenSteps.Setup, _ settings: TrainingSettings,
    _ names: NameMap, on client: Client
  ) throws -> [Comparison] {
    let specs = Scope.declare(network.build)
    let shapes = setup.weights.mapValues { Shape($0.shape) }
    let scale = settings.lora.map { $0.alpha / Double($0.rank) } ?? 1
    return try [("in", inputs.group("lora")), ("after", expected.group("after"))].flatMap {
      time, arrays in
      try ["peft", "diffusers"].compactMap { style in
        let folder = "adapter_\(time)_\(style)"
        guard FileManager.default.fileExists(atPath: "\(path)/\(folder)") else { return nil }
        let file = try naming {
          try LoRAFile(path: "\(path)/\(folder)")
            .fitted(to: specs, layouts: [network.names], network: "the case's network")
            .load(as: folder, on: client)
        }
        guard let factors = arrays.parameters(shapes, names) else {
          throw fail("its arrays of LoRA do not have the shapes of its network's")
        }
        // The file's factors under the names in training, and its scales.
        var (found, wanted) = ([Float](), [Float]())
        for (name, factor) in factors.pairs {
          let map = name.dropLast(".lora_A.weight".count)
          let part = name.hasSuffix(".lora_A.weight") ? Adapter.Part.down : .up
          for part in [part, .scale] {
            let array = file[Adapter.name(part, of: folder, path: String(map))]
            let values = try array?.array(of: Float.self) ?? []
            found += values
            wanted +=
              part == .scale
              ? [Float](repeating: Float(scale), count: values.count) : factor.values
          }
        }
        return Comparison(
          folder, HostArray(found, [found.count]), HostArray(wanted, [wanted.count]),
          relative: 1e-7)
      }
    }
  }
}

extension GoldenCase.StepComparisons {
  /// Compares the points on the paths, the targets and the terms of the loss.
  mutating func compareLosses(_ partition: Partition) {
    let details = results.group("details")
    for (name, detail, relative) in [
      ("x_t", "x_t", 1e-4), ("t", "t", 1e-4), ("tt", "tt", 1e-4), ("x_after", "data", 1e-4),
      ("target_flow", "flow", 1e-4), ("target_enhanced", "enhanced", 1e-4),
      ("loss0.pred", "velocity", 1e-4), ("loss0.target", "regression", 1e-3),
      ("loss0.per_sample", "per_sample", 1e-3), ("weighting", "weights", 1e-4),
      ("dm.F_grad", "difference", 1e-4), ("loss1.per_sample", "rectification", 1e-4),
    ] {
      compare(name, details[detail], relative: relative)
    }
    // The published targets of adversarial rows are unused.
    compare(
      "target_rcgm", details["regression"], rows: partition.realRanges(), relative: 1e-3)
    guard let velocity = details["velocity"]?.rows([partition.endToEndRows]) else { return }
    compare("loss1.pred", velocity, relative: 1e-4)
    guard let difference = details["difference"] else { return }
    let target = zip(velocity.values, difference.values).map { $0 - $1 }
    compare("loss1.target", HostArray(target, velocity.shape), relative: 1e-4)
  }
}
