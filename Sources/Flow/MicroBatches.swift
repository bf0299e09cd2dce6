import Tensors

extension Objective {
  /// The loss of a batch and its gradients, accumulated over micro-batches.
  ///
  /// Each micro-batch has its share of every group of rows and of every draw, so that the results
  /// equal those of the whole batch up to rounding, with the activations of one micro-batch in
  /// memory.
  ///
  /// - Parameters:
  ///   - count: the number of micro-batches; 1 processes the whole batch.
  ///   - weights: the weights that gradients are computed for, by the name of an auxiliary network,
  ///     or "" for the generating network; its weights stand under the name of `twinLoss` where only that is
  ///     minimized.
  /// - Returns: the loss's scalars, and the gradients by the same names.
  /// - Throws: `FlowError.indivisibleGroup`.
  public func gradients(
    _ networks: Networks, _ batch: DrawnBatch, microBatches count: Int,
    for weights: [(network: String, weights: Named<Tensor>)]
  ) throws -> (metrics: Named<Tensor>, gradients: [Named<Tensor>]) {
    func results(_ loss: Loss) -> (metrics: Named<Tensor>, gradients: [Named<Tensor>]) {
      let gradients = weights.map { network, weights in
        scalar(loss, of: network).gradients(for: weights)
      }
      return (loss.metrics.merging(loss.auxiliaries.prefixed("auxiliary")), gradients)
    }
    guard count > 1 else { return results(self(networks, batch)) }
    let objective = try microBatch(of: count)
    let microBatches = MicroBatches(batch, of: self, count: count)
    var names: [String] = []
    let zeros = weights.map { $0.weights.mapValues { Tensor.zeros($0.shape, .float32) } }
    // The names of the metrics come from a loss that is traced and not computed.
    let like = results(objective(networks, microBatches.first))
    names = like.metrics.names
    let start = names.map { _ in Tensor.zeros([], .float32) } + zeros.flatMap(\.values)
    let sums = scan(start, microBatches.arrays.values) { carry, arrays in
      let batch = microBatches.batch(Named(zip(microBatches.arrays.names, arrays)))
      let found = results(objective(networks, batch))
      let all =
        names.map { found.metrics[$0]!.cast(to: .float32) }
        + zip(zeros, found.gradients).flatMap { zeros, found in
          zeros.names.map { found[$0]!.cast(to: .float32) }
        }
      return (zip(carry, all).map { $0 + $1 }, [])
    }.carry.map { $0 * (1 / Double(count)) }
    let metrics = Named(zip(names, sums))
    var place = names.count
    let gradients = zeros.map { zeros in
      defer { place += zeros.count }
      return Named(zip(zeros.names, sums[place...]))
    }
    return (metrics, gradients)
  }

  /// What a network minimizes, by its name.
  private func scalar(_ loss: Loss, of network: String) -> Tensor {
    guard network.isEmpty else { return loss.auxiliaries[network]! }
    return twinLoss.map { loss.total + loss.auxiliaries[$0]! } ?? loss.total
  }
}

/// A batch divided into micro-batches: every array with a leading axis over them.
private struct MicroBatches {
  /// The arrays `[count, rows, …]` by name.
  private(set) var arrays = Named<Tensor>()
  /// Draws without rows.
  private var empty = Named<Tensor>()
  /// The number of steps before this one.
  private let step: Tensor

  init(_ drawn: DrawnBatch, of objective: any Objective, count: Int) {
    let batch = drawn.batch
    step = batch.step
    func divide(_ array: Tensor) -> Tensor {
      Self.divided(array, objective.rowGroups, count)
    }
    arrays["data"] = divide(batch.data)
    if let weights = batch.weights { arrays["weights"] = divide(weights) }
    arrays.merge(batch.condition.mapValues(divide).prefixed("condition"))
    arrays.merge(batch.unconditional.mapValues(divide).prefixed("unconditional"))
    for (name, draw) in drawn.draws.pairs {
      if draw.shape[0] == 0 {
        empty[name] = draw
      } else {
        arrays["draw.\(name)"] = Self.divided(draw, objective.rowGroups(ofDraw: name), count)
      }
    }
  }

  /// The first micro-batch.
  var first: DrawnBatch {
    batch(
      arrays.mapValues { $0[0..<1].reshape(Shape(Array($0.shape.sizes.dropFirst()))) })
  }

  /// The micro-batch of one element of each array.
  func batch(_ arrays: Named<Tensor>) -> DrawnBatch {
    DrawnBatch(
      Batch(
        data: arrays["data"]!, condition: arrays.group("condition"),
        unconditional: arrays.group("unconditional"), weights: arrays["weights"], step: step),
      draws: arrays.group("draw").merging(empty))
  }

  /// Rows `[batch, …]` as `[count, batch / count, …]`: each group's rows are divided equally.
  private static func divided(_ array: Tensor, _ groups: [Int], _ count: Int) -> Tensor {
    let rest = array.shape.sizes.dropFirst()
    var (shares, start): ([Tensor], Int) = ([], 0)
    for rows in groups where rows > 0 {
      let group = array[start..<start + rows]
      shares.append(group.reshape(Shape([count, rows / count] + rest)))
      start += rows
    }
    return .concatenate(shares, axis: 1)
  }
}
