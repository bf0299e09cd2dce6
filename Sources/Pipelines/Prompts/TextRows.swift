import Runtime
import Tensors

/// How caches keep the features of a text: a row for each of its tokens, then those of the whole text, cut
/// into rows of the same width with zeros behind them.
package struct TextRows: Hashable, Sendable {
  /// The features of a token.
  let width: Int
  /// Their element type.
  let dtype: DType
  /// The features of the whole text, 0 for none.
  let pooledWidth: Int

  /// Describes the rows of features.
  package init(width: Int, dtype: DType, pooledWidth: Int = 0) {
    (self.width, self.dtype, self.pooledWidth) = (width, dtype, pooledWidth)
  }

  /// The rows of the features that a pipeline makes.
  package init(of pipeline: ImagePipeline) {
    self.init(
      width: pipeline.encoder.width, dtype: pipeline.options.compute.dtype,
      pooledWidth: pipeline.encoder.pooledWidth)
  }

  /// The type of a row.
  package var row: TensorType { TensorType([width], dtype) }

  /// The rows behind those of the tokens.
  private var pooledRows: Int { (pooledWidth + width - 1) / width }

  /// The bytes of a text.
  ///
  /// - Parameter count: the number of its tokens.
  package func byteCount(tokens count: Int) -> Int { (count + pooledRows) * row.byteCount }

  /// The number of tokens of a text with so many bytes.
  func tokens(byteCount: Int) -> Int { byteCount / row.byteCount - pooledRows }

  /// The bytes of the first of some texts, without padding.
  package func texts(_ features: ImagePipeline.TextFeatures, count: Int) throws -> [[UInt8]] {
    let text = features.condition["text"]!
    precondition(
      text.type.shape[2] == width && text.type.dtype == dtype,
      "\(text.type) is not of the features of \(row)")
    let (bytes, size) = (try text.bytes(), text.type.byteCount / text.type.shape[0])
    let pooled = try features.condition[InputSpec.pooled]?.bytes() ?? []
    let pooledSize = pooledWidth * dtype.byteCount
    return (0..<count).map { number in
      let start = number * size
      var own = Array(bytes[start..<start + features.counts[number] * row.byteCount])
      own += pooled[number * pooledSize..<(number + 1) * pooledSize]
      own += repeatElement(0, count: pooledRows * row.byteCount - pooledSize)
      return own
    }
  }

  /// The arrays of a batch of texts: `text` with zeros at padding, `text_mask`, the number of tokens of
  /// each, and `pooled` where there is any.
  package struct Batch {
    private let rows: TextRows
    private let length: Int
    private var (text, pooled): ([UInt8], [UInt8]) = ([], [])
    private var counts: [Int32] = []

    /// Begins a batch.
    ///
    /// - Parameters:
    ///   - length: the number of tokens that texts are padded to.
    ///   - count: the number of texts.
    package init(_ rows: TextRows, length: Int, count: Int) {
      (self.rows, self.length) = (rows, length)
      text.reserveCapacity(count * length * rows.row.byteCount)
    }

    /// Adds the bytes of a text.
    package mutating func add(_ stored: UnsafeRawBufferPointer) {
      let count = rows.tokens(byteCount: stored.count)
      let size = count * rows.row.byteCount
      text += stored[..<size]
      text += repeatElement(0, count: length * rows.row.byteCount - size)
      pooled += stored[size..<size + rows.pooledWidth * rows.dtype.byteCount]
      counts.append(Int32(count))
    }

    /// The arrays.
    package var arrays: Named<HostArray> {
      let count = counts.count
      var arrays = Named([
        ("text", HostArray(TensorType([count, length, rows.width], rows.dtype), bytes: text)),
        ("text_mask", HostArray(counts, shape: [count])),
      ])
      if rows.pooledWidth > 0 {
        arrays[InputSpec.pooled] = HostArray(
          TensorType([count, rows.pooledWidth], rows.dtype), bytes: pooled)
      }
      return arrays
    }

    /// The features on devices.
    package func features(on engine: Engine) throws -> ImagePipeline.TextFeatures {
      ImagePipeline.TextFeatures(
        condition: try arrays.mapValues { try engine.array($0) }, counts: counts.map { Int($0) })
    }
  }
}
