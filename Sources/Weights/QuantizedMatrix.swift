import CQuantization
import Layers
import Tensors

/// A matrix that was quantized on the host.
public struct QuantizedMatrix: Sendable {
  /// The stored numbers.
  public let values: [UInt8]
  /// The scales' bytes in their element type.
  public let scales: [UInt8]
  /// How the two hold the matrix.
  public let quantization: Quantization

  /// Quantizes the columns of some rows.
  ///
  /// - Parameters:
  ///   - numbers: the rows, dense.
  ///   - columns: the columns of a row.
  ///   - taken: the columns that are taken; a row's scale is that of all of them.
  ///   - quantization: `int8`, `int8Groups` or `int4`.
  /// - Returns: nil where a number is infinite or NaN, or beyond the range of the scales.
  public init?(
    _ numbers: [Float], columns: Int, taking taken: Range<Int>, as quantization: Quantization
  ) {
    precondition(columns > 0 && numbers.count % columns == 0, "rows of \(columns) columns")
    let rows = numbers.count / columns
    var values = [UInt8](repeating: 0, count: rows * taken.count / quantization.columnsPerValue)
    let size = Quantization.groupSize
    let perRow = quantization.hasGroups ? taken.count / size : 1
    let width = quantization.scaleType.byteCount
    var scales = [UInt8](repeating: 0, count: rows * perRow * width)
    var isFinite = true
    numbers.withUnsafeBufferPointer { numbers in
      values.withUnsafeMutableBufferPointer { values in
        func rebased(_ range: Range<Int>) -> UnsafeBufferPointer<Float> {
          UnsafeBufferPointer(rebasing: numbers[range])
        }
        func set<Scale>(_ place: Int, _ scale: Scale) {
          scales.withUnsafeMutableBytes {
            $0.storeBytes(of: scale, toByteOffset: place * width, as: Scale.self)
          }
        }
        for row in 0..<rows where isFinite {
          let (start, target) = (row * columns, row * taken.count)
          switch quantization {
          case .int8:
            guard let scale = QuantizedRows.scale(of: rebased(start..<start + columns)) else {
              isFinite = false
              continue
            }
            set(row, scale)
            let part = UnsafeMutableBufferPointer(rebasing: values[target..<target + taken.count])
            part.withMemoryRebound(to: Int8.self) {
              QuantizedRows.quantize(
                rebased(start + taken.lowerBound..<start + taken.upperBound), scale: scale, to: $0)
            }
          case .int4:
            isFinite = scales.withUnsafeMutableBytes { scales in
              CQuantization_fourBits(
                numbers.baseAddress! + start + taken.lowerBound, Int64(perRow),
                values.baseAddress! + target / 2,
                scales.baseAddress!.assumingMemoryBound(to: UInt16.self) + row * perRow)
            }
          case .int8Groups:
            for group in 0..<perRow {
              let first = start + taken.lowerBound + group * size
              guard
                let scale = QuantizedRows.quantizeBytes(
                  rebased(first..<first + size), to: values.baseAddress! + target + group * size)
              else {
                isFinite = false
                break
              }
              set(row * perRow + group, scale)
            }
          case .float8e4m3, .float8e5m2:
            preconditionFailure("matrices are not quantized as \(quantization.rawValue) here")
          }
        }
      }
    }
    guard isFinite else { return nil }
    (self.values, self.scales, self.quantization) = (values, scales, quantization)
  }

  /// Joins the rows of matrices that were quantized in the same way.
  init(joining parts: [QuantizedMatrix], _ quantization: Quantization) {
    values = parts.count == 1 ? parts[0].values : Array(parts.map(\.values).joined())
    scales = parts.count == 1 ? parts[0].scales : Array(parts.map(\.scales).joined())
    self.quantization = quantization
  }

  /// The numbers that it stands for.
  ///
  /// - Parameter columns: the columns of a row.
  public func dequantized(columns: Int) -> [Float] {
    let width = quantization.scaleType.byteCount
    let factors = [Float](unsafeUninitializedCapacity: scales.count / width) { factors, count in
      count = scales.count / width
      _ = scales.withUnsafeBytes {
        ElementConversion.convert(
          $0, quantization.scaleType, to: UnsafeMutableRawBufferPointer(factors), .float32)
      }
    }
    let count = values.count * quantization.columnsPerValue
    return [Float](unsafeUninitializedCapacity: count) { numbers, initialized in
      values.withUnsafeBytes {
        QuantizedRows.dequantize(
          $0, factors, quantization,
          perScale: quantization.hasGroups ? Quantization.groupSize : columns, to: numbers)
      }
      initialized = count
    }
  }
}
