import Tensors

extension Objective {
  /// The loss of a batch and its gradients, one micro-batch after the other.
  ///
  /// Each micro-batch has its share of every group of rows and of every draw, so that the results are
  /// those of the whole batch up to rounding, with the activations of one micro-batch in memory.
  ///
  /// - Parameters:
  ///   - count: the number of micro-batches; 1 is the whole batch at once.
  ///   - weights: what gradients are taken for, by the name of an auxiliary network or "" for the
  ///     network that generates.
  /// - Returns: the loss's scalars, and the gradients by the same names.
  /// - Throws: `FlowError.indivisibleGroup`.
  public func gradients(
    _ networks: Networks, _ batch: DrawnBatch, microBatches count: Int,
    for weights: [(network: String, weights: Named<Tensor>)]
  ) throws -> (metrics: Named<Tensor>, gradients: [Named<Tensor>]) {
    func results(_ loss: Loss) -> (metrics: Named<Tensor>, gradients: [Named<Tensor>]) {
      let gradients = weights.map { network, weights in
        (network.isEmpty ? loss.total : loss.auxiliaries[network]!).gradients(for: weights)
      }
      return (loss.metrics.merging(loss.auxiliaries.prefixed("auxiliary")), gradients)
    }
    guard count > 1 else { return results(self(networks, batch)) }
    let part = try microBatch(of: count)
    let parts = MicroBatches(batch, of: self, count: count)
    var names: [String] = []
    let zeros = weights.map { $0.weights.mapValues { Tensor.zeros($0.shape, .float32) } }
    // The names of the metrics are known from a loss that is traced and not computed.
    let like = results(part(networks, parts.first))
    names = like.metrics.names
    let start = names.map { _ in Tensor.zeros([], .float32) } + zeros.flatMap(\.values)
    let sums = scan(start, parts.arrays.values) { carry, arrays in
      let found = results(part(networks, parts.batch(Named(zip(parts.arrays.names, arrays)))))
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
}

/// A batch dealt out to micro-batches: every array with a leading axis over them.
private struct MicroBatches {
  /// The arrays `[count, rows, …]` by name.
  private(set) var arrays = Named<Tensor>()
  /// Draws without rows.
  private var empty = Named<Tensor>()

  init(_ batch: DrawnBatch, of objective: any Objective, count: Int) {
    let samples = batch.samples
    func deal(_ array: Tensor) -> Tensor {
      Self.dealt(array, objective.rowGroups, count)
    }
    arrays["data"] = deal(samples.data)
    arrays.merge(samples.condition.mapValues(deal).prefixed("condition"))
    arrays.merge(samples.unconditional.mapValues(deal).prefixed("unconditional"))
    for (name, draw) in batch.draws.pairs {
      if draw.shape[0] == 0 {
        empty[name] = draw
      } else {
        arrays["draw.\(name)"] = Self.dealt(draw, objective.rowGroups(ofDraw: name), count)
      }
    }
  }

  /// The first micro-batch.
  var first: DrawnBatch {
    batch(
      arrays.mapValues { $0[0..<1].reshape(Shape(Array($0.shape.sizes.dropFirst()))) })
  }

  /// A micro-batch of one element of each array.
  func batch(_ arrays: Named<Tensor>) -> DrawnBatch {
    DrawnBatch(
      Samples(
        data: arrays["data"]!, condition: arrays.group("condition"),
        unconditional: arrays.group("unconditional")),
      draws: arrays.group("draw").merging(empty))
  }

  /// Rows `[batch, …]` as `[count, batch / count, …]`: each group's rows are shared equally.
  private static func dealt(_ array: Tensor, _ groups: [Int], _ count: Int) -> Tensor {
    let rest = array.shape.sizes.dropFirst()
    var (parts, start): ([Tensor], Int) = ([], 0)
    for rows in groups where rows > 0 {
      let group = array[start..<start + rows]
      parts.append(group.reshape(Shape([count, rows / count] + rest)))
      start += rows
    }
    return .concatenate(parts, axis: 1)
  }
}
