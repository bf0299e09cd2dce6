import Datasets
import Files
import Foundation
import Pipelines
import Tensors

/// The encoded samples of a data set, in a scratch file.
struct EncodedSet: Sendable {
  /// What is stored of one sample.
  struct Sample: Sendable {
    /// The index in the data set.
    let index: Int
    /// The bucket.
    let bucket: Int
    /// The latents of its picture, nil for prompts alone.
    var latents: Range<Int>?
    /// The latents of its reference images.
    var references: [Range<Int>]
    /// The features of its prompts.
    var texts: [Text]
    /// The features of the unconditional prompt.
    var unconditional: Text
  }

  /// The features of one text, without padding.
  struct Text: Sendable {
    /// The place of the features.
    let place: Range<Int>
    /// The number of tokens.
    let tokens: Int
  }

  /// The samples.
  let samples: [Sample]
  /// The hash of the data's content.
  let content: String
  private let inputs: StepInputs
  private let file: ScratchFile

  init(_ samples: [Sample], content: String, _ inputs: StepInputs, in file: ScratchFile) {
    (self.samples, self.content, self.inputs, self.file) = (samples, content, inputs, file)
  }

  /// The arrays of a batch.
  ///
  /// - Parameter picks: the samples, all of one bucket; a draw chooses among the prompts of each.
  func batch(_ picks: some Collection<BatchSampler.Pick>) throws -> Named<HostArray> {
    let rows = picks.map { samples[$0.index] }
    let texts = zip(rows, picks).map { row, pick in
      row.texts[Int(pick.draw % UInt64(row.texts.count))]
    }
    var arrays = Named<HostArray>()
    let spec = { (name: String) in inputs.conditioner.inputs.first { $0.name == name }! }
    if let first = rows.first, first.latents != nil {
      arrays[InputSpec.sample] = try array(
        inputs.samples[first.bucket], rows.map { $0.latents! })
    }
    arrays.merge(
      EncodedText.arrays(
        text: try padded(texts, spec("text")),
        unconditional: try padded(rows.map(\.unconditional), spec("text")),
        references: try (0..<(rows.first?.references.count ?? 0)).map { number in
          try array(spec("reference.\(number)"), rows.map { $0.references[number] })
        }))
    return arrays
  }

  private func array(_ spec: InputSpec, _ places: [Range<Int>]) throws -> HostArray {
    HostArray(spec.type(batch: places.count), bytes: try places.flatMap { try file.bytes($0) })
  }

  /// Features with zeros behind them, and the numbers of tokens.
  private func padded(
    _ texts: [Text], _ spec: InputSpec
  ) throws -> (features: HostArray, counts: HostArray) {
    let type = spec.type(batch: texts.count)
    let size = type.byteCount / max(1, texts.count)
    var bytes: [UInt8] = []
    bytes.reserveCapacity(type.byteCount)
    for text in texts {
      bytes += try file.bytes(text.place)
      bytes += [UInt8](repeating: 0, count: size - text.place.count)
    }
    return (
      HostArray(type, bytes: bytes),
      HostArray(texts.map { Int32($0.tokens) }, shape: [texts.count])
    )
  }
}

/// Shuffled batches of encoded samples.
struct EncodedBatches: BatchSource {
  private let encoded: EncodedSet
  private let size: Int
  private var sampler: BatchSampler

  init(_ set: EncodedSet, size: Int, seed: UInt64) {
    (encoded, self.size) = (set, size)
    sampler = BatchSampler(
      count: set.samples.count, seed: seed, buckets: set.samples.map { UInt8($0.bucket) })
  }

  var content: String { encoded.content }

  mutating func next(rows: Range<Int>) throws -> Named<HostArray> {
    try encoded.batch(sampler.next(size)[rows])
  }

  func saved() throws -> String { try JSONFile.text(sampler.position) }

  mutating func restore(_ saved: String) throws {
    try sampler.restore(
      JSONDecoder().decode(BatchSampler.Position.self, from: Data(saved.utf8)))
  }
}
