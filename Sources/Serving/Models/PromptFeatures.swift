import Pipelines
import Runtime
import Tensors

/// The features of recent prompts, so that a prompt is encoded once while its settings change.
struct PromptFeatures {
  /// The features of one prompt on the host, without padding.
  private struct Entry {
    /// See `TextRows`.
    let bytes: [UInt8]
    let count: Int
    var used: Int
  }

  private var entries: [String: Entry] = [:]
  private var clock = 0
  private var bytes = 0

  /// The most bytes that are kept.
  private static let most = 64 << 20

  /// The features of prompts, padded to one length.
  ///
  /// - Throws: `RuntimeError.outOfMemory`, the errors of weights, and the plugin's errors.
  mutating func batch(
    _ prompts: [String], by pipeline: ImagePipeline
  ) throws -> ImagePipeline.TextFeatures {
    var missing: [String] = []
    for prompt in prompts where entries[prompt] == nil && !missing.contains(prompt) {
      missing.append(prompt)
    }
    // One prompt at a time: few programs are compiled, and features do not depend on other prompts.
    for prompt in missing { try encode(prompt, by: pipeline) }
    clock += 1
    let counts = prompts.map { prompt in
      entries[prompt]!.used = clock
      return entries[prompt]!.count
    }
    let multiple = pipeline.textMultiple
    let length = (counts.max()! + multiple - 1) / multiple * multiple
    var batch = TextRows.Batch(TextRows(of: pipeline), length: length, count: prompts.count)
    for prompt in prompts { entries[prompt]!.bytes.withUnsafeBytes { batch.add($0) } }
    forget(except: Set(prompts))
    return try batch.features(on: pipeline.engine)
  }

  private mutating func encode(_ prompt: String, by pipeline: ImagePipeline) throws {
    let encoded = try pipeline.features(pipeline.tokens([prompt]))
    let own = try TextRows(of: pipeline).texts(encoded, count: 1)[0]
    entries[prompt] = Entry(bytes: own, count: encoded.counts[0], used: clock)
    bytes += own.count
  }

  /// Forgets the prompts that were not used for the longest time, where there are too many.
  private mutating func forget(except kept: Set<String>) {
    while bytes > Self.most,
      let oldest = entries.filter({ !kept.contains($0.key) }).min(by: {
        $0.value.used < $1.value.used
      })
    {
      bytes -= oldest.value.bytes.count
      entries[oldest.key] = nil
    }
  }
}
