import Tensors

/// Checks of a case's arrays before anything is traced with them.
extension GoldenCase {
  /// The shape of a sample, and the number of samples in a batch.
  struct BatchShape {
    let rows: Int
    let sample: [Int]
    /// The width of the condition; 1 for the zeros that replace a missing one.
    let condition: Int

    /// The elements of a sample.
    var width: Int { sample.reduce(1, *) }
    /// The shape of a number of samples.
    func samples(_ rows: Int) -> [Int] { [rows] + sample }
  }

  /// An input by its name.
  ///
  /// - Throws: `GoldenError.wrongCase` where it is missing.
  func input(_ name: String) throws -> HostArray {
    guard let array = inputs[name] else {
      throw fail("its inputs.safetensors has no \(name)")
    }
    return array
  }

  /// An input with a checked shape; nil sizes are not checked.
  ///
  /// - Throws: `GoldenError.wrongCase` where it is missing or of another shape.
  @discardableResult
  func input(_ name: String, shape: [Int?]) throws -> HostArray {
    let array = try input(name)
    let fits =
      array.shape.count == shape.count
      && zip(array.shape, shape).allSatisfy { $1 == nil || $0 == $1 }
    guard fits else {
      let expected = shape.map { $0.map(String.init) ?? "…" }.joined(separator: ", ")
      throw fail("its input \(name) is \(array.shape), and [\(expected)] was expected")
    }
    return array
  }

  /// The shape of the batch that an input holds.
  ///
  /// - Throws: `GoldenError.wrongCase` where samples or condition are missing or do not match.
  func batchShape(samples: String, condition: String) throws -> BatchShape {
    let shape = try input(samples).shape
    guard shape.count >= 2, shape.allSatisfy({ $0 > 0 }) else {
      throw fail("its input \(samples) is \(shape), and rows of samples were expected")
    }
    let width =
      try inputs[condition] == nil ? 1 : input(condition, shape: [shape[0], nil]).shape[1]
    return BatchShape(rows: shape[0], sample: Array(shape.dropFirst()), condition: width)
  }

  /// Checks the weights of an MLP of three layers under a prefix.
  ///
  /// - Parameter times: the number of times that the network takes.
  /// - Throws: `GoldenError.wrongCase` where one is missing or of another shape.
  func checkNetwork(_ prefix: String, _ batch: BatchShape, times: Int) throws {
    var width = batch.width + times + batch.condition
    for layer in 1...3 {
      let output = layer == 3 ? batch.width : nil
      let weight = try input("\(prefix).fc\(layer).weight", shape: [output, width])
      width = weight.shape[0]
      try input("\(prefix).fc\(layer).bias", shape: [width])
    }
  }

  /// Checks that LoRA's factors match their layers, and that the averaged ones have the same
  /// shapes.
  ///
  /// - Throws: `GoldenError.wrongCase` where one is missing or of another shape.
  func checkLoRA() throws {
    for layer in ["fc1", "fc2"] {
      let (name, weight) = ("model.lora.\(layer)", try input("model.base.\(layer).weight").shape)
      for set in ["default", "old"] {
        let rank = try input("\(name)_A_\(set)", shape: [nil, weight[1]]).shape[0]
        let expected = try input("\(name)_A_default").shape[0]
        guard rank == expected, rank > 0 else {
          throw fail(
            "its input \(name)_A_\(set) is of rank \(rank), the trained one of \(expected)")
        }
        try input("\(name)_B_\(set)", shape: [weight[0], rank])
      }
    }
  }

  /// The partition of the batch in the published code, from masks of 0 and 1, each of consecutive
  /// rows.
  ///
  /// - Parameter prefix: the start of the names of the step's arrays.
  /// - Throws: `GoldenError.wrongCase` where the masks are not a partition.
  func partition(of rows: Int, prefix: String = "step0.") throws -> [Int] {
    var (start, counts) = (0, [Int]())
    for group in ["e2e", "mul", "any", "adv", "one"] {
      guard let mask = expected["\(prefix)mask.\(group)"]?.values else {
        counts.append(0)
        continue
      }
      guard mask.count == rows, mask.allSatisfy({ $0 == 0 || $0 == 1 }) else {
        throw fail(
          "\(prefix)mask.\(group) of its expected.safetensors must be \(rows) numbers of 0 or 1")
      }
      let count = mask.count { $0 == 1 }
      guard mask[start..<start + count].allSatisfy({ $0 == 1 }) else {
        throw fail(
          "\(prefix)mask.\(group) of its expected.safetensors is not the rows from \(start)")
      }
      counts.append(count)
      start += count
    }
    guard start == rows else {
      throw fail("its masks are of \(start) rows, and its input \(prefix)x of \(rows)")
    }
    return counts
  }
}
