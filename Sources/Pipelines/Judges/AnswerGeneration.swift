import Layers
import Models
import Runtime
import Tensors

extension VisionLanguageJudge {
  /// The tokens of the most probable answer, and the logits before each of them.
  package struct Answer: Sendable {
    /// The tokens, with the one that ends the answer; behind it others follow where another answer of the
    /// batch is longer.
    package var tokens: [Int32] = []
    /// The logits of every token, before each token.
    package var logits: [[Float]] = []
  }

  /// The logits of the first token of the answers, `[prompt][token]`.
  package func logits(_ prompts: Prompts) throws -> [[Float]] {
    let results = try start(prompts, room: 0).results
    return try rows(results["logits"]!)
  }

  /// The most probable answers, token by token.
  ///
  /// - Parameters:
  ///   - limit: the most tokens of an answer.
  ///   - keepsLogits: whether the logits are returned, which are many.
  package func generate(
    _ prompts: Prompts, limit: Int, keepsLogits: Bool = false
  ) throws -> [Answer] {
    var answers = prompts.rows.map { _ in Answer() }
    guard limit > 0 else { return answers }
    let (batch, room) = (prompts.rows.count, limit)
    var (results, valid) = try start(prompts, room: room)
    let length = valid[0].count
    var hasEnded = [Bool](repeating: false, count: batch)
    for step in 0..<limit {
      let logits = try rows(results["logits"]!)
      for (row, logits) in logits.enumerated() {
        let best = logits.indices.max { logits[$0] < logits[$1] } ?? 0
        // Of equal ones the first counts.
        let token = Int32(logits.firstIndex(of: logits[best]) ?? best)
        answers[row].tokens.append(hasEnded[row] ? filler : token)
        if keepsLogits { answers[row].logits.append(logits) }
        if ends.contains(token) { hasEnded[row] = true }
      }
      if step + 1 == limit || !hasEnded.contains(false) { break }
      results = try next(
        answers.map { $0.tokens.last! },
        positions: prompts.rows.map { $0.next + Int32(step) },
        valid: valid.flatMap { prompt in
          prompt + (0..<room).map { $0 < step } + [true]
        }, place: length + step, after: results, capacity: length + room)
    }
    return answers
  }

  /// The rows of logits.
  private func rows(_ logits: ShardedArray) throws -> [[Float]] {
    let values: [Float] = try logits.array()
    let count = config.vocabulary
    return stride(from: 0, to: values.count, by: count).map { Array(values[$0..<$0 + count]) }
  }

  /// The logits of each token from the states of the last ones.
  private func head(
    _ weights: Named<Tensor>, _ model: any VisionLanguageModel, _ last: Tensor
  ) -> Tensor {
    guard head != nil else { return model.tiedLogits(last) }
    return Scope.bind(weights) {
      LanguageModelHead($0, width: config.width, vocabulary: config.vocabulary)
    }(last)
  }

  /// The types of the weights of language model and head, and how they are sharded.
  private var weightTypes: (types: Named<TensorType>, shardings: Named<Sharding>) {
    let heads = (head?.types ?? Named(), head?.shardings ?? Named())
    return (
      model.types.prefixed("model").merging(heads.0.prefixed("head")),
      model.shardings.prefixed("model").merging(heads.1.prefixed("head"))
    )
  }

  private func weights() throws -> Named<ShardedArray> {
    let own = try model.load().prefixed("model")
    return own.merging(try head?.load().prefixed("head") ?? Named())
  }

  /// The features of pictures, one row a token of theirs, see `VisionTower.program`; nil without pictures.
  package func features(of prompts: Prompts) throws -> Named<ShardedArray>? {
    let grids = prompts.patches.grids
    guard !grids.isEmpty else { return nil }
    let program = try programs(.images(grids)) {
      try vision.program(grids, compute, on: engine)
    }
    var arguments = try vision.component.load().prefixed("weights")
    arguments["patches"] = try engine.array(prompts.patches.values)
    return try RuntimeError.reportingMemory(of: program) { try program(arguments) }
  }

  /// Runs the network on prompts, padded on the left.
  ///
  /// - Parameter room: the tokens that are to follow; with 0, keys and values are not kept.
  /// - Returns: the logits, and where there is room, `keys` and `values`; and which tokens are no padding.
  private func start(
    _ prompts: Prompts, room: Int
  ) throws -> (results: Named<ShardedArray>, valid: [[Bool]]) {
    let images = try features(of: prompts)
    let longest = prompts.rows.map(\.tokens.count).max() ?? 0
    let length = (longest + multiple - 1) / multiple * multiple
    let batch = MultimodalBatch(prompts.rows, length: length, padding: .left, token: filler)
    let (count, imageCount) = (prompts.rows.count, images?["images"]!.type.shape[0] ?? 0)
    var inputs = try Named([
      ("tokens", engine.array(batch.tokens)), ("valid", engine.array(batch.valid)),
      ("positions", engine.array(batch.positions)),
    ])
    if let images {
      inputs.merge(images)
      inputs["rows"] = try engine.array(batch.imageRows)
    }
    let key = Work.prompts(batch: count, tokens: length, images: imageCount, room: room)
    let program = try programs(key) {
      let weights = weightTypes
      return try engine.compile(
        weights.types.merging(inputs.types), shardings: weights.shardings
      ) { [config, compute] arguments in
        let model = Scope.bind(arguments.group("model")) { config.model($0) }
        let images = VisionTower.features(in: arguments).map {
          ImageEmbeddings($0, rows: arguments["rows"]!)
        }
        let (last, own) = model.generation(
          arguments["tokens"]!, valid: arguments["valid"]!, images: images,
          positions: arguments["positions"]!, after: nil, in: compute)
        var results = Named([("logits", self.head(arguments.group("head"), model, last))])
        if room > 0 {
          let cache = own.padded(by: room)
          (results["keys"], results["values"]) = (cache.keys, cache.values)
        }
        return results
      }
    }
    let valid = batch.valid.array(of: Bool.self)
    let results = try RuntimeError.reportingMemory(of: program) {
      try program(weights().merging(inputs))
    }
    return (results, (0..<count).map { Array(valid[$0 * length..<($0 + 1) * length]) })
  }

  /// Runs the network on one token more.
  ///
  /// - Parameters:
  ///   - positions: the tokens' positions, which are the same along all axes.
  ///   - valid: bools `[batch, capacity + 1]`: the tokens before, and the one itself.
  ///   - place: where its keys and values are kept.
  ///   - earlier: the results before.
  private func next(
    _ tokens: [Int32], positions: [Int32], valid: [Bool], place: Int,
    after earlier: Named<ShardedArray>, capacity: Int
  ) throws -> Named<ShardedArray> {
    let batch = tokens.count
    let inputs = try Named([
      ("tokens", engine.array(tokens, shape: [batch, 1])),
      ("valid", engine.array(valid, shape: [batch, capacity + 1])),
      ("positions", engine.array(positions + positions + positions, shape: [3, batch, 1])),
      ("place", engine.array([Int32(place)], shape: [])),
      ("keys", earlier["keys"]!), ("values", earlier["values"]!),
    ])
    let program = try programs(.next(batch: batch, tokens: capacity)) {
      let weights = weightTypes
      return try engine.compile(
        weights.types.merging(inputs.types), shardings: weights.shardings,
        donating: { ["keys", "values"].contains($0) }
      ) { [config, compute] arguments in
        let model = Scope.bind(arguments.group("model")) { config.model($0) }
        let cache = KeyValueCache(keys: arguments["keys"]!, values: arguments["values"]!)
        let (last, own) = model.generation(
          arguments["tokens"]!, valid: arguments["valid"]!, images: nil,
          positions: arguments["positions"]!, after: cache, in: compute)
        let updated = cache.updated(from: arguments["place"]!, with: own)
        return Named([
          ("logits", self.head(arguments.group("head"), model, last)),
          ("keys", updated.keys), ("values", updated.values),
        ])
      }
    }
    return try RuntimeError.reportingMemory(of: program) {
      try program(weights().merging(inputs))
    }
  }
}
