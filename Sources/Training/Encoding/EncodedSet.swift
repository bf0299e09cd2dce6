import Datasets
import Files
import Foundation
import Pipelines
import Tensors

/// The encoded samples of a data set, which are read from a cache.
struct EncodedSet: Sendable {
  /// The keys of what was encoded of samples, a sample after the other.
  struct Keys {
    /// The bucket of each sample.
    var buckets: [UInt8] = []
    /// The picture of each sample; empty for prompts alone.
    var pictures: [EncodingKey] = []
    /// The reference images of each sample, as many for each.
    var references: [EncodingKey] = []
    /// The mask of each sample, nil where it has none; empty for data without masks.
    var masks: [EncodingKey?] = []
    /// The prompts of all samples.
    var texts: [EncodingKey] = []
    /// Where the prompts of each sample end among them.
    var textEnds: [Int] = []
    /// The unconditional prompt of each sample.
    var unconditional: [EncodingKey] = []
  }

  /// The bucket of each sample.
  let buckets: [UInt8]
  /// The hash of the data's content.
  let content: String
  private let inputs: StepInputs
  private let pictures: [EncodedStore.Place]
  private let references: [EncodedStore.Place]
  private let masks: [EncodedStore.Place?]
  private let texts: [EncodedStore.Place]
  private let textEnds: [Int]
  private let unconditional: [EncodedStore.Place]
  /// The class of each sample; empty for data with texts.
  private let labels: [Int32]
  private let pictureShards: [EncodedShard]
  private let textShards: [EncodedShard]
  private let maskShards: [EncodedShard]
  /// The weight where a mask is black.
  private let unmasked: Double

  /// The number of samples.
  var count: Int { buckets.count }

  /// Finds the entries of samples in a cache.
  ///
  /// - Parameters:
  ///   - labels: the class of each sample; empty for data with texts.
  ///   - unmasked: the weight in the loss where a mask is black.
  init(
    _ keys: Keys, labels: [Int32] = [], in cache: EncodingCache, content: String, unmasked: Double,
    _ inputs: StepInputs
  ) {
    buckets = keys.buckets
    self.labels = labels
    self.content = content
    self.inputs = inputs
    pictures = keys.pictures.map(cache.pictures.place)
    references = keys.references.map(cache.pictures.place)
    masks = keys.masks.map { $0.map(cache.masks!.place) }
    (maskShards, self.unmasked) = (cache.masks?.shards ?? [], unmasked)
    texts = keys.texts.map(cache.texts.place)
    textEnds = keys.textEnds
    unconditional = keys.unconditional.map(cache.texts.place)
    (pictureShards, textShards) = (cache.pictures.shards, cache.texts.shards)
  }

  /// The arrays of a batch.
  ///
  /// - Parameter picks: the samples, all of one bucket; a draw chooses among the prompts of each.
  func batch(_ picks: some Collection<BatchSampler.Pick>) -> Named<HostArray> {
    let rows = picks.map(\.index)
    var arrays = Named<HostArray>()
    let spec = { (name: String) in inputs.conditioner.inputs.first { $0.name == name }! }
    if let first = rows.first, !pictures.isEmpty {
      arrays[InputSpec.sample] = latents(
        rows.map { pictures[$0] }, inputs.samples[Int(buckets[first])])
    }
    if let first = rows.first, !masks.isEmpty {
      arrays[StepInputs.mask] = weights(
        rows.map { masks[$0] }, StepInputs.mask(of: inputs.samples[Int(buckets[first])]))
    }
    guard labels.isEmpty else {
      arrays[InputSpec.classIndex(of: 0).name] = HostArray(
        rows.map { labels[$0] }, shape: [rows.count])
      return arrays
    }
    let drawn = picks.map { pick in
      let start = pick.index == 0 ? 0 : textEnds[pick.index - 1]
      return texts[start + Int(pick.draw % UInt64(textEnds[pick.index] - start))]
    }
    let images = references.count / count
    arrays.merge(
      EncodedText.arrays(
        text: features(drawn, spec("text")),
        unconditional: features(rows.map { unconditional[$0] }, spec("text")),
        references: (0..<images).map { number in
          latents(rows.map { references[$0 * images + number] }, spec("reference.\(number)"))
        }))
    return arrays
  }

  /// The latents of pictures, a row for each.
  func latents(_ places: [EncodedStore.Place], _ spec: InputSpec) -> HostArray {
    let type = spec.type(batch: places.count)
    var bytes: [UInt8] = []
    bytes.reserveCapacity(type.byteCount)
    for place in places {
      let shard = pictureShards[Int(place.shard)]
      let stored = shard.bytes(Int(place.entry))
      if shard.row.dtype == .uint8 {
        Pixels.values(of: stored).withUnsafeBytes { bytes += $0 }
      } else {
        bytes += stored
      }
    }
    return HostArray(type, bytes: bytes)
  }

  /// The weights of latents by masks, all 1 without one.
  private func weights(_ places: [EncodedStore.Place?], _ spec: InputSpec) -> HostArray {
    let type = spec.type(batch: places.count)
    var values: [Float] = []
    values.reserveCapacity(type.shape.count)
    for place in places {
      guard let place else {
        values += repeatElement(1, count: spec.shape.count)
        continue
      }
      let stored = maskShards[Int(place.shard)].bytes(Int(place.entry))
      for offset in stride(from: 0, to: stored.count, by: 4) {
        let value = stored.loadUnaligned(fromByteOffset: offset, as: Float.self)
        values.append(LatentMask.weight(value, floor: unmasked))
      }
    }
    return HostArray(values, shape: type.shape)
  }

  /// The arrays of texts, see `TextRows`.
  func features(_ places: [EncodedStore.Place], _ spec: InputSpec) -> Named<HostArray> {
    let pooled = inputs.conditioner.inputs.first { $0.name == InputSpec.pooled }
    let rows = TextRows(
      width: spec.shape[1], dtype: spec.dtype, pooledWidth: pooled?.shape[0] ?? 0)
    var batch = TextRows.Batch(rows, length: spec.shape[0], count: places.count)
    for place in places { batch.add(textShards[Int(place.shard)].bytes(Int(place.entry))) }
    return batch.arrays
  }
}

/// Shuffled batches of encoded samples.
struct EncodedBatches: BatchSource {
  private let encoded: EncodedSet
  private let size: Int
  private var sampler: BatchSampler

  init(_ set: EncodedSet, size: Int, seed: UInt64) {
    (encoded, self.size) = (set, size)
    sampler = BatchSampler(count: set.count, seed: seed, buckets: set.buckets)
  }

  var content: String { encoded.content }

  mutating func next(rows: Range<Int>) throws -> Named<HostArray> {
    encoded.batch(sampler.next(size)[rows])
  }

  func saved() throws -> String { try JSONFile.text(sampler.position) }

  mutating func restore(_ saved: String) throws {
    try sampler.restore(
      JSONDecoder().decode(BatchSampler.Position.self, from: Data(saved.utf8)))
  }
}
