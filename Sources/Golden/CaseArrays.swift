import Tensors

/// The arrays that a case must have, checked before anything is traced with them.
extension GoldenCase {
  /// The shape of one sample, and how many there are in a batch.
  struct BatchShape {
    let rows: Int
    let sample: [Int]
    /// The width of the condition; 1 for the zeros that stand for none.
    let condition: Int

    /// The elements of a sample.
    var width: Int { sample.reduce(1, *) }
    /// The shape of some samples.
    func samples(_ rows: Int) -> [Int] { [rows] + sample }
  }

  /// Looks an input up.
  ///
  /// - Throws: `GoldenError.wrongCase` where it is missing.
  func input(_ name: String) throws -> HostArray {
    guard let array = inputs[name] else {
      throw fail("its inputs.safetensors has no \(name)")
    }
    return array
  }

  /// Checks an input's shape; nil sizes may be anything.
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

  /// The samples and the condition of an input's batch.
  ///
  /// - Throws: `GoldenError.wrongCase` where they are missing or do not fit together.
  func batchShape(samples: String, condition: String) throws -> BatchShape {
    let shape = try input(samples).shape
    guard shape.count >= 2, shape.allSatisfy({ $0 > 0 }) else {
      throw fail("its input \(samples) is \(shape), and rows of samples were expected")
    }
    let width =
      try inputs[condition] == nil ? 1 : input(condition, shape: [shape[0], nil]).shape[1]
    return BatchShape(rows: shape[0], sample: Array(shape.dropFirst()), condition: width)
  }

  /// Checks the weights of a network: three layers under a prefix.
  ///
  /// - Parameter times: how many times it takes.
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

  /// Checks that each adapter fits its layer, and that the averaged ones are of the same shapes.
  ///
  /// - Throws: `GoldenError.wrongCase` where one is missing or of another shape.
  func checkAdapters() throws {
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

  /// How the published code has split the batch: from masks of 0 and 1, each a run of rows.
  ///
  /// - Throws: `GoldenError.wrongCase` where they are no such split.
  func partition(of rows: Int) throws -> [Int] {
    var (start, counts) = (0, [Int]())
    for group in ["e2e", "mul", "any", "adv", "one"] {
      guard let mask = expected["step0.mask.\(group)"]?.values else {
        counts.append(0)
        continue
      }
      guard mask.count == rows, mask.allSatisfy({ $0 == 0 || $0 == 1 }) else {
        throw fail(
          "step0.mask.\(group) of its expected.safetensors must be \(rows) numbers of 0 or 1")
      }
      let count = mask.count { $0 == 1 }
      guard mask[start..<start + count].allSatisfy({ $0 == 1 }) else {
        throw fail("step0.mask.\(group) of its expected.safetensors is not the rows from \(start)")
      }
      counts.append(count)
      start += count
    }
    guard start == rows else {
      throw fail("its masks are of \(start) rows, and its input step0.x of \(rows)")
    }
    return counts
  }
}
